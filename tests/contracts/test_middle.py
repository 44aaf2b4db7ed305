"""Texts with a gap."""

from __future__ import annotations

import pytest

from vaultbridge.backends.middle import middle, stops
from vaultbridge.core.dialogue import Continuation


class Letters:
    """A vocabulary of letters, with tokens around a gap or without."""

    def __init__(self, marks: tuple[int, int, int] | None) -> None:
        self.middle = marks

    def tokenize(self, text: str, *, special: bool = False) -> list[int]:
        assert not special
        return list(map(ord, text))


def text(tokens: list[int]) -> str:
    return "".join(map(chr, tokens))


def test_a_model_that_fills_gaps_gets_both_sides_between_its_tokens() -> None:
    tokens, stop = middle(Continuation("ab", suffix="yz"), Letters((1, 2, 3)))
    assert tokens == [1, ord("a"), ord("b"), 2, ord("y"), ord("z"), 3]
    assert stop == ()


@pytest.mark.parametrize("marks", [None, (1, 2, 3)])
def test_without_a_gap_the_text_is_left_as_it_is(marks: tuple[int, int, int] | None) -> None:
    assert middle(Continuation("ab"), Letters(marks)) == ([ord("a"), ord("b")], ())


def test_another_model_reads_first_what_follows_and_goes_on_from_the_text() -> None:
    tokens, stop = middle(Continuation("Once upon", suffix=" a time there was\na pond."), Letters(None))
    assert "a time there was\na pond." in text(tokens)
    assert text(tokens).endswith("Once upon")
    assert stop == ("a time there was",)


@pytest.mark.parametrize(
    ("suffix", "stop"),
    [
        ("\n\nThe end of it.\nMore", ("The end of it.",)),
        (")", ()),
        ("  \n", ()),
        ("the end", ()),
        ("x" * 100, ("x" * 48,)),
    ],
)
def test_only_what_can_be_told_from_the_text_ends_it(suffix: str, stop: tuple[str, ...]) -> None:
    assert stops(suffix) == stop
