"""How lanes are joined: what a lane's confidence does, and what no lane may do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.retrieve.rows import chunk
from vaultbridge.core.notes import Chunk
from vaultbridge.core.search import Hit
from vaultbridge.retrieve.fusion import Evidence, by_meaning, by_weights, by_words, fuse
from vaultbridge.retrieve.weights import FusionWeights

WEIGHTS = FusionWeights()
PIECES = [chunk(note, f"{note} {ordinal}", ordinal) for note in "abcdef" for ordinal in range(2)]
KEYS = [piece.key for piece in PIECES]
SCORES = st.dictionaries(st.sampled_from(KEYS), st.floats(0.01, 1), min_size=1)
SURE = st.floats(0.05, 1)


def order(lanes: dict[str, Evidence], weights: FusionWeights = WEIGHTS, pieces: list[Chunk] = PIECES) -> list[str]:
    return [hit.chunk.key for hit in fuse(pieces, lanes, weights, {})]


def score_of(hits: list[Hit], key: str) -> float:
    return next(hit.score for hit in hits if hit.chunk.key == key)


# --- properties -------------------------------------------------------------------------------------------------------


@given(SCORES, SURE, SCORES)
def test_a_lane_without_confidence_changes_nothing(
    keyword: dict[str, float], sure: float, dense: dict[str, float]
) -> None:
    alone = {"keyword": Evidence(keyword, sure)}
    assert order({**alone, "dense": Evidence(dense, 0.0)}) == order(alone)


@given(SCORES, SURE, SCORES)
def test_nor_does_a_lane_without_weight(keyword: dict[str, float], sure: float, dense: dict[str, float]) -> None:
    alone = {"keyword": Evidence(keyword, sure)}
    both = {**alone, "dense": Evidence(dense, 1.0)}
    assert order(both, replace(WEIGHTS, dense=0.0)) == order(alone)


@given(SCORES, SURE, SCORES, SURE, st.sampled_from(PIECES), st.floats(0, 1))
def test_a_chunk_that_a_lane_likes_better_never_stands_lower(
    keyword: dict[str, float], words: float, dense: dict[str, float], meaning: float, piece: Chunk, more: float
) -> None:
    key = piece.key
    before = fuse(PIECES, {"keyword": Evidence(keyword, words), "dense": Evidence(dense, meaning)}, WEIGHTS, {})
    better = {**dense, key: dense.get(key, 0.0) + more}
    after = fuse(PIECES, {"keyword": Evidence(keyword, words), "dense": Evidence(better, meaning)}, WEIGHTS, {})
    assert score_of(after, key) >= score_of(before, key)

    def above(hits: list[Hit]) -> set[str]:
        """Other notes' chunks that stand before it."""
        keys = [hit.chunk.key for hit in hits if hit.chunk.note != piece.note or hit.chunk.key == key]
        return set(keys[: keys.index(key)])

    assert above(after) <= above(before)


@given(SCORES, SURE, SCORES, SURE, st.randoms(use_true_random=False))
def test_the_order_in_which_chunks_and_lanes_come_does_not_matter(
    keyword: dict[str, float], words: float, dense: dict[str, float], meaning: float, random: st.DataObject
) -> None:
    lanes = {"keyword": Evidence(keyword, words), "dense": Evidence(dense, meaning)}
    shuffled = list(PIECES)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    scores = {hit.chunk.key: hit.score for hit in fuse(shuffled, dict(reversed(lanes.items())), WEIGHTS, {})}
    for hit in fuse(PIECES, lanes, WEIGHTS, {}):
        assert scores[hit.chunk.key] == pytest.approx(hit.score)


# --- cases ------------------------------------------------------------------------------------------------------------


def test_ties_go_to_the_earlier_note_and_chunk() -> None:
    same = Evidence(dict.fromkeys(KEYS, 0.5), 1.0)
    assert order({"dense": same}, pieces=PIECES[::-1]) == KEYS


def test_lanes_that_find_different_chunks_of_one_note_agree_on_the_note() -> None:
    keyword = Evidence({"a#0": 0.9, "b#0": 1.0}, 1.0)
    dense = Evidence({"a#1": 0.9, "c#0": 1.0}, 1.0)
    assert [key[0] for key in order({"keyword": keyword, "dense": dense})][:2] == ["a", "a"]


def test_unsure_lanes_that_stand_alone_still_rank() -> None:
    assert order({"keyword": Evidence({"c#0": 1.0, "b#0": 0.5}, 0.0)})[:1] == ["c#0"]


def test_a_hit_says_which_lanes_found_it_and_how_well() -> None:
    found = {"keyword": {"a#0": 12.5}, "dense": {"a#0": 0.8, "b#0": 0.7}}
    lanes = {"keyword": by_words(found["keyword"], 1.0), "dense": by_meaning(found["dense"], [0.8, 0.7])}
    hits = fuse(PIECES[:3], lanes, WEIGHTS, found)
    assert {hit.chunk.key: dict(hit.lanes) for hit in hits} == {
        "a#0": {"keyword": 12.5, "dense": 0.8},
        "a#1": {},
        "b#0": {"dense": 0.7},
    }


def test_nothing_found_is_nothing() -> None:
    assert fuse([], {"keyword": Evidence(), "dense": Evidence()}, WEIGHTS, {}) == []


@pytest.mark.parametrize("factor", [0.01, 1, 1000])
def test_the_scale_of_a_lane_does_not_matter(factor: float) -> None:
    scores = {key: factor * rank for rank, key in enumerate(KEYS, start=1)}
    assert by_words(scores, 1.0).scores[KEYS[0]] == pytest.approx(1 / len(KEYS))
    assert by_weights(scores).scores[KEYS[-1]] == pytest.approx(1.0)
    normal = by_meaning(scores, list(scores.values())).scores
    assert (normal[KEYS[0]], normal[KEYS[-1]]) == pytest.approx((0.0, 1.0))


def test_words_are_trusted_as_far_as_they_cover_the_question() -> None:
    confidences = [by_words({"a#0": 3.0}, covered).confidence for covered in (0.0, 0.1, 0.5, 0.8, 1.0)]
    assert confidences == sorted(confidences)
    assert (confidences[0], confidences[1], confidences[-1]) == (0.0, 0.0, 1.0)


def test_meaning_is_trusted_as_far_as_its_best_stands_out() -> None:
    level = [0.8 - 0.001 * (rank % 7) for rank in range(100)]
    clear = by_meaning({"a#0": 0.95}, [0.95, *level]).confidence
    faint = by_meaning({"a#0": 0.8}, level).confidence
    assert faint < 0.2 < clear
    assert by_meaning({"a#0": 0.5}, [0.5] * 50).confidence == 0.0, "all alike: it tells nothing apart"


def test_a_handful_of_chunks_has_no_shape_to_be_judged_by() -> None:
    assert by_meaning({"a#0": 0.9, "b#0": 0.1}, [0.9, 0.1]).confidence == 1.0
    assert by_meaning({}, []) == Evidence()
