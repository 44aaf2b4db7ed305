"""An inverted index over learned sparse vectors, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vaultbridge.core.search import Vector

POSTING_BYTES = 8
"""A row and a weight; what tokens and segments add is little beside them."""
LARGEST_SEGMENT = 1 << 20
"""Postings up to which segments are joined: a tenth of a second of sorting, and a few dozen segments in the end."""

Integers = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class _Segment:
    """Postings sorted by token: those of ``tokens[n]`` are ``[starts[n], starts[n + 1])``."""

    tokens: Integers
    starts: NDArray[np.intp]
    rows: Integers
    weights: Vector

    @classmethod
    def of(cls, tokens: Integers, rows: Integers, weights: Vector) -> _Segment:
        order = np.argsort(tokens, kind="stable")
        unique, starts = np.unique(tokens[order], return_index=True)
        return cls(unique, np.append(starts, len(tokens)), rows[order], weights[order])

    def joined(self, other: _Segment) -> _Segment:
        parts = (self, other)
        return _Segment.of(
            np.concatenate([np.repeat(part.tokens, np.diff(part.starts)) for part in parts]),
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.weights for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class Postings:
    """Which rows hold a token, and with what weight. Never changes: whoever reads is not disturbed by who writes.

    What is added becomes a segment of its own and is joined with its neighbours as it is worth the while, so that a
    save costs what it adds, and all segments together a few sorts.
    """

    segments: tuple[_Segment, ...] = ()

    @property
    def size(self) -> int:
        """How many postings there are."""
        return sum(len(segment.rows) for segment in self.segments)

    def added(self, tokens: Integers, rows: Integers, weights: Vector) -> Postings:
        """With more of them: parallel arrays, a posting each; a row has a token once."""
        if not len(tokens):
            return self
        *older, last = (*self.segments, _Segment.of(tokens, rows, weights))
        while older and len(older[-1].rows) < 2 * len(last.rows):
            if len(older[-1].rows) + len(last.rows) > LARGEST_SEGMENT:
                break
            last = older.pop().joined(last)
        return Postings((*older, last))

    def scores(self, weights: Mapping[int, float], rows: int) -> Vector:
        """The product of ``weights`` with each of the first ``rows`` rows; 0 where they share no token."""
        scores = np.zeros(rows, dtype=np.float32)
        asked = np.fromiter(weights.keys(), np.int32, len(weights))
        for segment in self.segments:
            places = np.searchsorted(segment.tokens, asked)
            for token, place in zip(asked.tolist(), places.tolist(), strict=True):
                if place < len(segment.tokens) and segment.tokens[place] == token:
                    found = slice(segment.starts[place], segment.starts[place + 1])
                    scores[segment.rows[found]] += np.float32(weights[token]) * segment.weights[found]
        return scores
