"""What stands in a gap: a text that goes on until what follows the gap begins."""

from __future__ import annotations

from typing import Protocol

from vaultbridge.core.dialogue import Continuation

LEAST_STOP = 8
"""Characters of what follows that must come before they can be taken for it."""
MOST_STOP = 48
"""More are not waited for."""


class Vocabulary(Protocol):
    """Texts to tokens, and the tokens around a gap if the model knows such."""

    @property
    def middle(self) -> tuple[int, int, int] | None:
        """In front of the text, of what follows, and of what fills the gap."""

    def tokenize(self, text: str, *, special: bool = False) -> list[int]:
        """A text's tokens."""


def middle(prompt: Continuation, vocabulary: Vocabulary) -> tuple[list[int], tuple[str, ...]]:
    """A continuation's tokens, and the texts that end it.

    Models that were trained to fill a gap see it in their own way. Others are shown first what follows, and stop where
    they begin to repeat it.
    """
    text, suffix = vocabulary.tokenize(prompt.text), prompt.suffix
    if not suffix:
        return text, ()
    if marks := vocabulary.middle:
        before, after, gap = marks
        return [before, *text, after, *vocabulary.tokenize(suffix), gap], ()
    return vocabulary.tokenize(ahead(suffix)) + text, stops(suffix)


def ahead(suffix: str) -> str:
    """What follows, to be read before the text is."""
    return f"Later in this text:\n\n{suffix.strip()}\n\nThe text, up to there:\n\n"


def stops(suffix: str) -> tuple[str, ...]:
    """The text that shows that what follows has begun: none if it begins with what may stand anywhere."""
    begins = suffix.strip().partition("\n")[0][:MOST_STOP].rstrip()
    return (begins,) if len(begins) >= LEAST_STOP else ()
