"""How good rankings are, by ir-measures, and how far chance reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ir_measures
import numpy as np
from ir_measures import RR, Measure, R, nDCG
from numpy.typing import NDArray

from vaultbridge.core.notes import NotePath
from vaultbridge.lab.cases import Case

_GAINS = {grade: 2**grade - 1 for grade in range(2, 8)}
NDCG = "nDCG@10"
MEASURES: Mapping[str, Measure] = {
    # Gain 2^grade - 1 (Burges et al., ICML 2005); trec_eval's own is the grade itself.
    NDCG: nDCG(gains=_GAINS) @ 10,
    "R@10": R @ 10,
    "R@100": R @ 100,
    "RR@10": RR @ 10,
}
SAMPLES = 10_000
SEED = 20090719

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the bounds between which 95 % of the means of resampled queries lie."""

    mean: float
    low: float
    high: float


def judge(cases: Sequence[Case], rankings: Sequence[Sequence[NotePath]]) -> dict[str, Values]:
    """Each measure's value for each case, 0 to 1; ``rankings`` are notes, best first, in the order of the cases."""
    relevant = {case.id: dict(case.relevant) for case in cases}
    runs = {
        case.id: {note: 1.0 - rank / (len(ranking) + 1) for rank, note in enumerate(ranking)}
        for case, ranking in zip(cases, rankings, strict=True)
    }
    place = {case.id: at for at, case in enumerate(cases)}
    values = {name: np.zeros(len(cases)) for name in MEASURES}
    names = {measure: name for name, measure in MEASURES.items()}
    for metric in ir_measures.iter_calc(list(MEASURES.values()), relevant, runs):
        values[names[metric.measure]][place[metric.query_id]] = metric.value
    return values


def interval(values: Values) -> Interval:
    """The bootstrap interval of a mean over queries; give differences for a paired one."""
    chosen = np.random.default_rng(SEED).integers(0, len(values), (SAMPLES, len(values)))
    low, high = np.quantile(values[chosen].mean(axis=1), (0.025, 0.975))
    return Interval(float(values.mean()), float(low), float(high))
