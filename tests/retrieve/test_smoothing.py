"""Hits that say the like share their scores."""

from __future__ import annotations

import numpy as np
import pytest

from tests.retrieve.rows import chunk
from vaultbridge.core.search import Hit, Vector
from vaultbridge.retrieve.smoothing import DEPTH, NEIGHBOURS, smoothed

FEW = NEIGHBOURS + 1


def hit(name: str, score: float) -> Hit:
    return Hit(chunk(f"{name}.md", name), score, {"dense": score})


def towards(angle: float) -> Vector:
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


def test_one_of_many_good_ones_passes_one_that_stands_alone() -> None:
    alone = hit("alone", 0.80)
    friends = [hit(f"friend{n}", 0.79 - n / 1000) for n in range(FEW)]
    poor = [hit(f"poor{n}", 0.10) for n in range(FEW)]
    vectors = {alone.chunk.key: towards(1.6)}
    vectors |= {friend.chunk.key: towards(0.01 * n) for n, friend in enumerate(friends)}
    vectors |= {one.chunk.key: towards(1.6 + 0.01 * n) for n, one in enumerate(poor)}
    order = [found.chunk.note for found in smoothed([alone, *friends, *poor], vectors, 0.2)]
    assert order[0] == "friend0.md"
    assert order[len(friends)] == "alone.md"


def test_scores_move_by_the_share_and_lanes_stay() -> None:
    hits = [hit(f"n{n}", 1 - n / 10) for n in range(FEW)]
    vectors = {found.chunk.key: towards(0.0) for found in hits}
    best = smoothed(hits, vectors, 0.5)[0]
    others = [found.score for found in hits[1:]]
    assert best.score == pytest.approx((hits[0].score + sum(others) / len(others)) / 2)
    assert best.lanes == hits[0].lanes


def test_what_cannot_be_compared_keeps_its_score() -> None:
    hits = [hit(f"n{n}", 1 - n / 1000) for n in range(DEPTH + 1)]
    vectors = {found.chunk.key: towards(n / 7) for n, found in enumerate(hits) if n}
    scores = {found.chunk.key: found.score for found in smoothed(hits, vectors, 0.2)}
    assert scores[hits[0].chunk.key] == hits[0].score, "it has no vector yet"
    assert scores[hits[-1].chunk.key] == hits[-1].score, "it is far behind"
    assert len(scores) == len(hits)


def test_a_few_hits_have_no_neighbourhood() -> None:
    hits = [hit(f"n{n}", 1 - n / 10) for n in range(NEIGHBOURS)]
    assert smoothed(hits, {found.chunk.key: towards(0.0) for found in hits}, 0.2) == hits
