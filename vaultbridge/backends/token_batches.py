"""Texts in batches: of like length, so that little of a pass is padding, and bounded in tokens, so that memory is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Budget:
    """What one pass may hold: ``tokens``, padding included, and how many of them may be ``padding``."""

    tokens: int
    padding: int


ALONE = Budget(0, 0)
"""Each text in a pass of its own, whatever its length."""


def clean(texts: Sequence[str]) -> list[str]:
    """``texts`` without half surrogates, at which tokenizers stumble."""
    return [text.encode("utf-8", "replace").decode() for text in texts]


def batches(lengths: Sequence[int], budget: Budget) -> Iterator[list[int]]:
    """Indices of texts by their ``lengths`` in tokens, longest first: as many together as the budget allows."""
    batch: list[int] = []
    padding = 0
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        padding += lengths[batch[0]] - lengths[row] if batch else 0
        if batch and (lengths[batch[0]] * (len(batch) + 1) > budget.tokens or padding > budget.padding):
            yield batch
            batch, padding = [], 0
        batch.append(row)
    if batch:
        yield batch


def through(lengths: Sequence[int], budget: Budget, forward: Callable[[list[int]], Sequence[Result]]) -> list[Result]:
    """``forward`` of each batch of indices, its results in the order of ``lengths``."""
    results: dict[int, Result] = {}
    for rows in batches(lengths, budget):
        results.update(zip(rows, forward(rows), strict=True))
    return [results[row] for row in range(len(lengths))]
