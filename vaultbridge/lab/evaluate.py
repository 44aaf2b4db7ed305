"""How well the real pipeline ranks: each lane alone, all of them fused, and fused without this or that part."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from vaultbridge.core.notes import NotePath
from vaultbridge.core.ports import ChunkStore, EmbeddingService
from vaultbridge.core.search import Mode, Query, Scope
from vaultbridge.lab.cases import Case
from vaultbridge.lab.measures import NDCG, Interval, Values, interval, judge
from vaultbridge.retrieve.rescoring import Rescoring
from vaultbridge.retrieve.retriever import Retriever
from vaultbridge.retrieve.weights import FusionWeights

CHUNKS = 400
"""Chunks asked for, so that a hundred different notes are among them."""
FUSED = "fused"
RERANKED = "reranked"
"""Fused, then looked at again by the reranker or the multi-vector head."""
RRF = "RRF"
RRF_K = 60
"""As in Cormack, Clarke and Buettcher, SIGIR 2009."""
LANES: Mapping[str, Mode] = {"keyword": "keyword", "dense": "dense", "sparse": "sparse"}

Ranking = Sequence[NotePath]


@dataclass(frozen=True, slots=True)
class Row:
    """How one way of ranking did: each measure's value for each case, and the milliseconds a query took."""

    values: Mapping[str, Values]
    milliseconds: float

    def interval(self, measure: str = NDCG) -> Interval:
        """A measure's mean and its 95 % interval."""
        return interval(self.values[measure])


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All rows by their names; single lanes first."""

    rows: Mapping[str, Row]

    @property
    def best_lane(self) -> str:
        """The single lane of the greatest nDCG; empty if there is only what is fused."""
        lanes = [name for name in self.rows if name in LANES]
        return max(lanes, key=lambda name: float(self.rows[name].values[NDCG].mean()), default="")

    def over(self, other: str) -> Interval:
        """What fusion brings over another row, query by query, in nDCG."""
        return interval(self.rows[FUSED].values[NDCG] - self.rows[other].values[NDCG])


async def evaluate(
    store: ChunkStore,
    embeddings: EmbeddingService | None,
    weights: FusionWeights,
    cases: Sequence[Case],
    lanes: Sequence[str],
    without: Sequence[str],
    progress: Callable[[int], None],
    rescoring: Rescoring | None = None,
) -> Evaluation:
    """Ask every case of each lane, of all together, of all ``without`` each of some parts, and with the second look."""
    searches: dict[str, tuple[Retriever, Mode]] = {
        lane: (Retriever(store, embeddings, weights), LANES[lane]) for lane in lanes
    }
    if len(lanes) != 1:
        searches[FUSED] = (Retriever(store, embeddings, weights), "hybrid")
        for part in without:
            searches[f"without {part}"] = (Retriever(store, embeddings, replace(weights, **{part: 0.0})), "hybrid")
    if rescoring is not None:
        searches[RERANKED] = (Retriever(store, embeddings, weights, rescoring), "hybrid")
    rankings: defaultdict[str, list[Ranking]] = defaultdict(list)
    times: defaultdict[str, list[float]] = defaultdict(list)
    for done, case in enumerate(cases, start=1):
        for name, (retriever, mode) in searches.items():
            query = Query(case.text, Scope(exclude=case.without), limit=CHUNKS, mode=mode)
            began = perf_counter()
            hits = (await retriever.search(query)).hits
            times[name].append(1000 * (perf_counter() - began))
            rankings[name].append(list(dict.fromkeys(hit.chunk.note for hit in hits)))
        if len(lanes) > 1:
            rankings[RRF].append(reciprocal_rank([rankings[lane][-1] for lane in lanes]))
        progress(done)
    order = [*lanes, *([RRF] if RRF in rankings else []), *(name for name in searches if name not in lanes)]
    return Evaluation(
        {name: Row(judge(cases, rankings[name]), float(np.median(times[name] or [0.0]))) for name in order}
    )


def reciprocal_rank(rankings: Iterable[Ranking]) -> list[NotePath]:
    """Plain reciprocal rank fusion, which ours is held against."""
    scores: defaultdict[NotePath, float] = defaultdict(float)
    for ranking in rankings:
        for rank, note in enumerate(ranking, start=1):
            scores[note] += 1 / (RRF_K + rank)
    return sorted(scores, key=lambda note: (-scores[note], note))
