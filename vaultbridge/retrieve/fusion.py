"""Joins the lanes' rankings into one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from vaultbridge.core.notes import Chunk, NotePath
from vaultbridge.core.search import Hit, Scored

RRF_K = 10
"""The constant of reciprocal rank fusion. Cormack, Clarke and Buettcher (SIGIR 2009) took 60 for many rankings; two
rankings of which one is often right are joined better by a small one: docs/benchmarks.md has the figures."""


def reciprocal_rank(lanes: Mapping[str, Sequence[Scored]]) -> list[Hit]:
    """Rank by the sum of 1 / (RRF_K + rank) over the lanes, a note's and its chunk's in equal parts.

    Ranks count notes: a long note, which a lane finds ten times over, does not push the others down. The note's part
    is that of its first chunk, so that two lanes which find different chunks of one note agree on the note; each
    further chunk stands one rank below the one before it. Ties go to the earlier note and chunk.
    """
    chunks: dict[str, Chunk] = {}
    found: dict[str, dict[str, float]] = {}
    own: defaultdict[str, float] = defaultdict(float)
    shared: defaultdict[NotePath, float] = defaultdict(float)
    for lane, ranking in lanes.items():
        first: dict[NotePath, int] = {}
        earlier: Counter[NotePath] = Counter()
        for scored in ranking:
            key, note = scored.chunk.key, scored.chunk.note
            if note not in first:
                first[note] = len(first) + 1
                shared[note] += 1 / (RRF_K + first[note])
            own[key] += 1 / (RRF_K + first[note] + earlier[note])
            earlier[note] += 1
            chunks[key] = scored.chunk
            found.setdefault(key, {})[lane] = scored.score
    hits = [Hit(chunk, own[key] + shared[chunk.note], found[key]) for key, chunk in chunks.items()]
    return sorted(hits, key=lambda hit: (-hit.score, hit.chunk.note, hit.chunk.ordinal))
