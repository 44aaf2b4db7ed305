"""Weights fitted to labelled questions, and whether they would have helped with others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vaultbridge.core.search import Query, Scope
from vaultbridge.lab.cases import Case
from vaultbridge.lab.measures import NDCG, SEED, Interval, Values, interval, judge
from vaultbridge.retrieve.lanes import Findings
from vaultbridge.retrieve.retriever import Retriever
from vaultbridge.retrieve.weights import FusionWeights

FOLDS = 5
GRID: Mapping[str, Sequence[float]] = {
    "dense": (0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 4.0),
    "sparse": (0.0, 0.25, 0.5, 1.0, 2.0),
    "feedback": (0.0, 0.25, 0.5, 1.0),
    "smoothing": (0.0, 0.1, 0.2, 0.4),
}
"""What is tried, one weight after the other; the keyword lane's is the measure of the others."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The best weights for all cases, and what weights fitted to four fifths of them bring the last fifth, in nDCG."""

    weights: FusionWeights
    gain: Interval

    @property
    def holds(self) -> bool:
        """Whether chance alone does not explain the gain."""
        return self.gain.low > 0


async def fit(retriever: Retriever, cases: Sequence[Case], progress: Callable[[int], None]) -> Fit:
    """Fit the weights of the lanes, of feedback and of smoothing to the cases, beginning with the retriever's."""
    findings: list[Findings] = []
    for done, case in enumerate(cases, start=1):
        findings.append(await retriever.findings(Query(case.text, Scope(exclude=case.without))))
        progress(done)
    tried: dict[FusionWeights, Values] = {}

    def values(weights: FusionWeights) -> Values:
        if weights not in tried:
            rankings = [list(dict.fromkeys(hit.chunk.note for hit in found.hits(weights))) for found in findings]
            tried[weights] = judge(cases, rankings)[NDCG]
        return tried[weights]

    has_sparse = any("sparse" in found.rankings for found in findings)
    names = [name for name in GRID if name != "sparse" or has_sparse]

    def best(among: Sequence[int]) -> FusionWeights:
        weights = retriever.weights
        for name in names:
            # The first of equals is what it was: no weight moves without a reason.
            choices = [weights, *(replace(weights, **{name: value}) for value in GRID[name])]
            weights = max(choices, key=lambda choice: float(values(choice)[among].mean()))
        return weights

    order = np.random.default_rng(SEED).permutation(len(cases))
    gains = np.zeros(len(cases))
    for fold in range(min(FOLDS, len(cases))):
        held = order[fold::FOLDS]
        rest = np.setdiff1d(order, held)
        if len(rest):
            gains[held] = (values(best(rest.tolist())) - values(retriever.weights))[held]
    return Fit(best(range(len(cases))), interval(gains))
