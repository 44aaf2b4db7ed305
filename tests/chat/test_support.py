"""How far a note holds a sentence."""

from __future__ import annotations

import pytest

from tests.chat.cited import citation
from vaultbridge.chat.support import CLEAR, MARKED, Support, best, tells

NOTES = [
    citation(1, "The Panthers gave up 308 points in 2015. Kawann Short led the team with 11 sacks."),
    citation(2, "The Broncos gave up 296 points in 2015. Von Miller led the team with 11 sacks."),
    citation(3, "五花肉切块，小火炖一小时。"),
]
SUPPORT = Support(NOTES)


@pytest.mark.parametrize(
    ("sentence", "number"),
    [
        ("The Panthers gave up 308 points.", 1),
        ("Von Miller led his team.", 2),
        ("They had 308.", 1),
        ("296", 2),
        ("五花肉要切块，小火炖。", 3),
    ],
)
def test_the_note_that_says_it_holds_the_most(sentence: str, number: int) -> None:
    found, held = best(SUPPORT.of(sentence), [1, 2, 3])
    assert found == number
    assert held >= CLEAR


def test_what_all_notes_say_weighs_less_than_what_one_says() -> None:
    held = SUPPORT.of("Short gave up the team.")
    assert held[1] > held[2]


def test_a_wrong_number_or_name_weighs_more_than_a_wrong_word() -> None:
    right = SUPPORT.of("The Panthers gave up 308 points")[1]
    word = SUPPORT.of("The Panthers conceded 308 points")[1]
    name = SUPPORT.of("The Raiders from Oakland gave up 308 points")[1]
    number = SUPPORT.of("The Panthers gave up 500 points")[1]
    assert right > word > number
    assert right > word > name
    assert number < CLEAR


def test_what_no_note_says_has_no_support() -> None:
    assert max(SUPPORT.of("Quarks carry colour charge.").values()) < MARKED
    assert max(SUPPORT.of("夸克带有色荷。").values()) < MARKED


@pytest.mark.parametrize(
    ("written", "as_it_stands"), [("1,308", "1308"), ("３０８", "308"), ("Panther's sack", "panthers")]
)
def test_numbers_and_words_are_the_same_in_their_common_forms(written: str, as_it_stands: str) -> None:
    assert Support([citation(1, as_it_stands)]).of(written)[1] > 0.0


@pytest.mark.parametrize(("sentence", "said"), [("Yes.", False), ("", False), ("It is.", False), ("308", True)])
def test_a_sentence_of_no_content_says_nothing(sentence: str, said: bool) -> None:
    assert tells(sentence) is said


def test_of_equal_notes_the_first_is_the_best() -> None:
    twins = Support([citation(4, "Bees sleep."), citation(5, "Bees sleep.")])
    assert best(twins.of("Bees sleep"), [4, 5]) == (4, 1.0)
    assert best(twins.of("Bees sleep"), [5]) == (5, 1.0)
    assert best(twins.of("Bees sleep"), []) == (0, 0.0)
