"""How well the real pipeline ranks, by lane and fused."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from vaultbridge.core.notes import NotePath
from vaultbridge.core.search import Mode, Query
from vaultbridge.lab.collection import Collection
from vaultbridge.retrieve.retriever import Retriever

DEPTH = 10
CHUNKS = 100
"""Chunks asked for, so that ten different notes are among them."""
LANES: Mapping[str, Mode] = {"fused": "hybrid", "keyword": "keyword", "dense": "dense"}


async def evaluate(
    retriever: Retriever,
    collection: Collection,
    ids: Mapping[NotePath, str],
    lanes: Sequence[str],
    progress: Callable[[int], None],
) -> dict[str, dict[str, float]]:
    """nDCG@10 and recall@10 (0 to 1) of each lane over all queries; a note ranks where its best chunk does."""
    scores: dict[str, list[tuple[float, float]]] = {lane: [] for lane in lanes}
    for done, (id_, text) in enumerate(collection.queries.items(), start=1):
        for lane in lanes:
            hits = await retriever.search(Query(text, limit=CHUNKS, mode=LANES[lane]))
            ranking = list(dict.fromkeys(ids[hit.chunk.note] for hit in hits))[:DEPTH]
            grades = collection.relevant[id_]
            scores[lane].append((ndcg(ranking, grades), recall(ranking, grades)))
        progress(done)
    return {
        lane: {"ndcg@10": fmean(n for n, _ in values), "recall@10": fmean(r for _, r in values)}
        for lane, values in scores.items()
    }


def ndcg(ranking: Sequence[str], grades: Mapping[str, int], depth: int = DEPTH) -> float:
    """Normalised discounted cumulative gain with gain 2^grade - 1 (Burges et al., ICML 2005)."""

    def dcg(gains: Sequence[int]) -> float:
        return sum((2.0**grade - 1) / math.log2(rank + 1) for rank, grade in enumerate(gains[:depth], start=1))

    ideal = dcg(sorted(grades.values(), reverse=True))
    return dcg([grades.get(id_, 0) for id_ in ranking]) / ideal if ideal else 0.0


def recall(ranking: Sequence[str], grades: Mapping[str, int], depth: int = DEPTH) -> float:
    """The part of the relevant documents that stands among the first ``depth``, of those that there is room for.

    Capped as in BEIR (Thakur et al., NeurIPS 2021): with more than ten relevant documents, ten of them are all.
    """
    return len(set(ranking[:depth]) & grades.keys()) / min(len(grades), depth)
