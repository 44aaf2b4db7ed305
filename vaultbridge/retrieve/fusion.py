"""Joins the lanes' rankings into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vaultbridge.core.notes import Chunk
from vaultbridge.core.search import Hit, Scored

RRF_K = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009)."""


def reciprocal_rank(lanes: Mapping[str, Sequence[Scored]]) -> list[Hit]:
    """Rank by the sum of 1 / (60 + rank) over the lanes; ties go to the earlier note and chunk."""
    scores: dict[str, float] = {}
    chunks: dict[str, Chunk] = {}
    found: dict[str, dict[str, float]] = {}
    for lane, ranking in lanes.items():
        for rank, scored in enumerate(ranking, start=1):
            key = scored.chunk.key
            chunks[key] = scored.chunk
            scores[key] = scores.get(key, 0.0) + 1.0 / (RRF_K + rank)
            found.setdefault(key, {})[lane] = scored.score
    hits = [Hit(chunks[key], score, found[key]) for key, score in scores.items()]
    return sorted(hits, key=lambda hit: (-hit.score, hit.chunk.note, hit.chunk.ordinal))
