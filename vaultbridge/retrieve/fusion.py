"""Joins what the lanes say into one ranking, as far as each of them is to be trusted with this very question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from vaultbridge.core.notes import Chunk, NotePath
from vaultbridge.core.search import Hit
from vaultbridge.retrieve.weights import FusionWeights

CHANCE = 0.2
"""The share of a question's telling words that any notes hold by chance: a name, a number, a word of the trade."""
DEPTH = 100
"""How far down a lane still tells what is found from what is only there."""
HEAD = 10
"""The first ranks of a lane, which may all be right; what is behind them shows how it scores what is not."""
CLEAR = 12.0
"""So many standard deviations above the rest, a lane's best chunk leaves no doubt."""
STEEPNESS = 1.5
LEAST = -0.5
"""A chunk that a lane puts far below the others counts no worse than this."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a lane says: ``scores`` by chunk key, 1 for its best chunk and 0 for any that it does not tell from the
    rest; ``confidence`` 0 to 1."""

    scores: Mapping[str, float] = field(default_factory=dict)
    confidence: float = 0.0


def by_words(scores: Mapping[str, float], covered: float) -> Evidence:
    """The evidence of BM25, whose 0 means that no word is shared.

    ``covered`` is the greatest part of the question's telling words that one of the best chunks holds.
    """
    return Evidence(_of_best(scores), max(0.0, (covered - CHANCE) / (1 - CHANCE)))


def by_weights(scores: Mapping[str, float]) -> Evidence:
    """The evidence of learned sparse weights: a product, 0 where nothing is shared."""
    return Evidence(_of_best(scores), _clarity(list(scores.values())))


def by_meaning(scores: Mapping[str, float], ranked: Sequence[float]) -> Evidence:
    """The evidence of cosines, which have no zero of their own: that of the hundredth candidate is taken for it.

    ``ranked`` are the scores of the lane's own ranking, whose shape says how sure it is.
    """
    if not scores:
        return Evidence()
    first = sorted(scores.values(), reverse=True)[:DEPTH]
    least, breadth = first[-1], max(first[0] - first[-1], 1e-9)
    normal = {key: max(LEAST, (score - least) / breadth) for key, score in scores.items()}
    return Evidence(normal, _clarity(ranked))


def fuse(
    chunks: Iterable[Chunk],
    lanes: Mapping[str, Evidence],
    weights: FusionWeights,
    found: Mapping[str, Mapping[str, float]],
) -> list[Hit]:
    """Rank by the mean of the lanes' scores, each weighed by its confidence: a note's and its chunk's in equal parts.

    The note's part is the best that each lane says of any of its chunks, so that two lanes which find different chunks
    of one note agree on the note. If no lane is sure of anything, all are taken alike. ``found`` are the lanes' own
    scores, for ``Hit.lanes``. Ties go to the earlier note and chunk.
    """
    trust = {
        lane: weights.of(lane) * evidence.confidence**weights.doubt
        for lane, evidence in lanes.items()
        if evidence.scores
    }
    if not any(trust.values()):
        trust = {lane: weights.of(lane) or 1.0 for lane in trust}
    whole = sum(trust.values())
    by_note: defaultdict[NotePath, list[Chunk]] = defaultdict(list)
    for chunk in chunks:
        by_note[chunk.note].append(chunk)
    hits = []
    for pieces in by_note.values():
        shared = sum(
            share * max(lanes[lane].scores.get(chunk.key, 0.0) for chunk in pieces) for lane, share in trust.items()
        )
        for chunk in pieces:
            own = sum(share * lanes[lane].scores.get(chunk.key, 0.0) for lane, share in trust.items())
            lane_scores = {lane: scores[chunk.key] for lane, scores in found.items() if chunk.key in scores}
            hits.append(Hit(chunk, (own + shared) / (2 * whole) if whole else 0.0, lane_scores))
    return ranked(hits)


def ranked(hits: Iterable[Hit]) -> list[Hit]:
    """Hits in their order, best first."""
    return sorted(hits, key=lambda hit: (-hit.score, hit.chunk.note, hit.chunk.ordinal))


def _of_best(scores: Mapping[str, float]) -> dict[str, float]:
    best = max(scores.values(), default=0.0)
    return {key: score / best for key, score in scores.items()} if best > 0 else {}


def _clarity(scores: Sequence[float]) -> float:
    """How far the best score stands above the rest, 0 to 1; too few scores have no shape, and count in full."""
    first = np.sort(np.asarray(scores, dtype=np.float64))[::-1][:DEPTH]
    rest = first[HEAD:] if len(first) > 2 * HEAD else first[1:]
    if len(rest) < 2:
        return 1.0
    above = (first[0] - rest.mean()) / (rest.std() + 1e-6)
    return float(min(1.0, above / CLEAR) ** STEEPNESS)
