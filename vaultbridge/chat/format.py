"""How notes are given to a model: what it is told, and how many of them it can carry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from vaultbridge.chat.language import Phrases
from vaultbridge.core.dialogue import GeneratorInfo

Frame = Literal["marked", "example"]


@dataclass(frozen=True, slots=True)
class Format:
    """At most ``notes`` notes of ``tokens`` together, the best one beside the question if ``best_last``.

    ``frame``: ``marked`` numbers the notes and asks for marks; ``example`` shows two answers instead, which base models
    need, and sentences are attributed afterwards. ``packed``: a note that repeats a better
    one gives way to one that does not.
    """

    frame: Frame
    notes: int
    tokens: int
    best_last: bool = True
    packed: bool = True

    def instructions(self, words: Phrases) -> str:
        """What stands first in the prompt."""
        return words.instructions if self.frame == "marked" else words.example

    def closing(self, words: Phrases) -> str:
        """What stands between the notes and the question."""
        return words.closing if self.frame == "marked" else ""

    def stop(self, words: Phrases) -> tuple[str, ...]:
        """What ends an answer: after examples a model may go on with notes of its own."""
        return (f"\n{words.opening}", f"\n\n{words.opening}") if self.frame == "example" else ()


SIZES = (
    (700e6, Format("marked", notes=3, tokens=700)),
    (2.5e9, Format("marked", notes=6, tokens=1500)),
    (8e9, Format("marked", notes=8, tokens=3000)),
    (float("inf"), Format("marked", notes=12, tokens=6000)),
)
"""Formats by the number of weights that a model has less than."""
UNKNOWN = 1e9
"""The weights of a model that does not say how many it has."""


def format_of(model: GeneratorInfo) -> Format:
    """The format for a model, by its size and whether it was taught to chat (``docs/benchmarks.md``)."""
    chosen = next(form for size, form in SIZES if (model.parameters or UNKNOWN) < size)
    return chosen if model.chat else replace(chosen, frame="example")
