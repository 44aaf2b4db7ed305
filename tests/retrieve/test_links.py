"""What links give."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vaultbridge.core.notes import NotePath
from vaultbridge.retrieve.links import GIVERS, gifts, givers

NOTES = [NotePath(name) for name in "abcdefgh"]
A, B, C, D = NOTES[:4]


def test_a_note_gets_its_neighbours_scores_divided_by_their_links() -> None:
    given_ = gifts({A: 0.8, B: 0.5}, {A: (B, C), B: (A, C, D, NOTES[5], NOTES[6])})
    assert given_[C].amount == 0.8 / 2 + 0.5 / 5
    assert given_[C].giver == A
    assert given_[A].amount == 0.5 / 5


def test_a_hub_gives_less_than_a_note_of_few_links() -> None:
    hub = gifts({A: 1.0}, {A: tuple(NOTES[1:])})
    pair = gifts({A: 1.0}, {A: (B,)})
    assert hub[B].amount < pair[B].amount


def test_nobody_gives_to_himself_and_unranked_notes_give_nothing() -> None:
    assert gifts({A: 1.0}, {A: (A,), B: (C,)}) == {}


@given(st.dictionaries(st.sampled_from(NOTES), st.floats(0, 1)))
def test_no_note_gives_more_than_it_has(scores: dict[NotePath, float]) -> None:
    linked = {note: tuple(other for other in NOTES if other != note) for note in scores}
    assert sum(gift.amount for gift in gifts(scores, linked).values()) <= sum(scores.values()) + 1e-9


def test_only_the_best_give_and_ties_go_to_the_earlier() -> None:
    many = {NotePath(f"{n:02}"): 0.5 for n in range(3 * GIVERS)}
    assert givers({**many, NotePath("z"): 0.9}) == [NotePath("z"), *(NotePath(f"{n:02}") for n in range(GIVERS - 1))]
