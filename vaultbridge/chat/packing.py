"""Which of the hits a prompt takes first: those that say something new."""

from __future__ import annotations

from collections.abc import Sequence

from vaultbridge.core.search import Hit
from vaultbridge.retrieve.relevance import terms

REPEATED = 0.8
"""The part of a hit's words that one better hit must hold for it to be a repetition."""


def packed(hits: Sequence[Hit]) -> list[Hit]:
    """The hits in their order, but those that repeat a better one behind all others."""
    new: list[Hit] = []
    repeated: list[Hit] = []
    taken: list[set[str]] = []
    for hit in hits:
        said = set(terms(hit.chunk.text))
        if any(len(said & other) >= REPEATED * len(said) for other in taken):
            repeated.append(hit)
        else:
            new.append(hit)
            taken.append(said)
    return new + repeated
