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
    assert [hit.score for hit in hits] == pytest.approx(
        [1 / (k + 2) + 1 / (k + 1), 1 / (k + 1), 1 / (k + 2), 1 / (k + 3)]
    )


def test_ranks_count_notes_so_that_a_long_note_does_not_push_others_down() -> None:
    pieces = [chunk("long", "one", 0), chunk("long", "two", 1), chunk("long", "three", 2), chunk("short", "four")]
    hits = reciprocal_rank({"keyword": [Scored(piece, 1.0) for piece in pieces]})
    assert {(hit.chunk.note, hit.chunk.ordinal): hit.score for hit in hits} == pytest.approx(
        {
            ("long", 0): 1 / (RRF_K + 1),
            ("long", 1): 1 / (RRF_K + 2),
            ("long", 2): 1 / (RRF_K + 3),
            ("short", 0): 1 / (RRF_K + 2),
        }
    )


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
