"""Texts through a filter: whole, a character at a time, or cut anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

from vaultbridge.chat.stream import TextFilter

Make = Callable[[], TextFilter]


def pushed(make: Make, parts: Iterable[str]) -> str:
    """What a reader sees who reads until the answer is over."""
    filter_ = make()
    shown = ""
    for part in parts:
        shown += filter_.push(part)
        if filter_.ended:
            break
    return shown + filter_.finish()


def cut(text: str, cuts: Iterable[int]) -> list[str]:
    places = sorted({0, *(place for place in cuts if place < len(text)), len(text)})
    return [text[start:end] for start, end in pairwise(places)]


def through(make: Make, text: str) -> str:
    """What is shown, which must be the same whole and a character at a time."""
    whole = pushed(make, [text])
    assert pushed(make, text) == whole, "it depends on how the text is cut"
    return whole


def delays(make: Make, text: str) -> int:
    """The most characters that were ever held back while a text went through a character at a time."""
    filter_ = make()
    most = shown = 0
    for count, character in enumerate(text, start=1):
        shown += len(filter_.push(character))
        most = max(most, count - shown)
    return most
