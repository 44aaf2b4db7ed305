"""Reciprocal ranks, against sums done by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.retrieve.rows import chunk
from vaultbridge.core.search import Scored
from vaultbridge.retrieve.fusion import RRF_K, reciprocal_rank


def lane(*names: str) -> list[Scored]:
    return [Scored(chunk(name, name), 100.0 - rank) for rank, name in enumerate(names)]


def test_ranks_add_up() -> None:
    hits = reciprocal_rank({"keyword": lane("a", "b", "c"), "dense": lane("b", "d")})
    assert [hit.chunk.note for hit in hits] == ["b", "a", "d", "c"]
    k = RRF_K
    by_hand = [1 / (k + 2) + 1 / (k + 1), 1 / (k + 1), 1 / (k + 2), 1 / (k + 3)]
    assert [hit.score / hits[0].score for hit in hits] == pytest.approx([score / by_hand[0] for score in by_hand])


def test_a_long_note_does_not_push_the_others_down() -> None:
    pieces = [chunk("long", str(n), n) for n in range(9)]
    short = chunk("short", "text")
    after_all = reciprocal_rank({"keyword": [Scored(piece, 1.0) for piece in [*pieces, short]]})
    after_one = reciprocal_rank({"keyword": [Scored(piece, 1.0) for piece in [pieces[0], short]]})
    score = {hit.chunk.key: hit.score for hit in after_all}
    assert score[short.key] == {hit.chunk.key: hit.score for hit in after_one}[short.key]
    assert [score[piece.key] for piece in pieces] == sorted({score[piece.key] for piece in pieces}, reverse=True)


def test_lanes_that_find_different_chunks_of_one_note_agree_on_the_note() -> None:
    above, below = chunk("agreed", "above", 0), chunk("agreed", "below", 1)
    hits = reciprocal_rank({"keyword": [*lane("x"), Scored(above, 1.0)], "dense": [*lane("y"), Scored(below, 1.0)]})
    assert [hit.chunk.note for hit in hits] == ["agreed", "agreed", "x", "y"]


def test_a_hit_says_which_lanes_found_it_and_how_well() -> None:
    by_note = {hit.chunk.note: hit.lanes for hit in reciprocal_rank({"keyword": lane("a", "b"), "dense": lane("b")})}
    assert by_note == {"a": {"keyword": 100.0}, "b": {"keyword": 99.0, "dense": 100.0}}


def test_ties_go_to_the_earlier_note_whichever_lane_found_it() -> None:
    for lanes in ({"x": lane("b"), "y": lane("a")}, {"x": lane("a"), "y": lane("b")}):
        assert [hit.chunk.note for hit in reciprocal_rank(lanes)] == ["a", "b"]


def test_no_lane_or_empty_lanes_find_nothing() -> None:
    assert reciprocal_rank({}) == reciprocal_rank({"keyword": [], "dense": []}) == []


@given(st.dictionaries(st.sampled_from("xyz"), st.lists(st.sampled_from("abcdefgh"), unique=True)))
def test_what_is_first_everywhere_is_first(lanes: dict[str, list[str]]) -> None:
    hits = reciprocal_rank({name: lane("best", *found) for name, found in lanes.items()})
    assert {hit.chunk.note for hit in hits} == {"best" for _ in lanes} | {
        note for found in lanes.values() for note in found
    }
    assert not hits or hits[0].chunk.note == "best"
