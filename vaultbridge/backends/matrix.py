"""Vectors of one length side by side in memory, to be compared with another one all at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaultbridge.core.search import Vector

BLOCK_ROWS = 8192


class Matrix:
    """Rows of length 1, float32, in blocks: it grows without moving, and a reader in a thread meets no half row."""

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self._blocks: list[Vector] = []
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def append(self, vectors: NDArray[np.floating[Any]]) -> None:
        """Add rows, scaled to length 1."""
        rows = vectors.astype(np.float32)
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        while len(rows):
            start = self._rows % BLOCK_ROWS
            if not start:
                self._blocks.append(np.empty((BLOCK_ROWS, self.dimensions), np.float32))
            now, rows = rows[: BLOCK_ROWS - start], rows[BLOCK_ROWS - start :]
            self._blocks[-1][start : start + len(now)] = now
            self._rows += len(now)

    def row(self, number: int) -> Vector:
        """One row."""
        vector: Vector = self._blocks[number // BLOCK_ROWS][number % BLOCK_ROWS].copy()
        return vector

    def cosines(self, vector: Vector, rows: int) -> Vector:
        """The cosine of ``vector`` with each of the first ``rows`` rows."""
        direction = vector.astype(np.float32)
        direction = direction / np.maximum(np.linalg.norm(direction), np.finfo(np.float32).tiny)
        starts = range(0, rows, BLOCK_ROWS)
        # Row by row: BLAS's product of a matrix and a vector waits for threads, and for long where the cores are busy.
        found = [np.vecdot(block[: rows - at], direction) for at, block in zip(starts, self._blocks, strict=False)]
        return np.concatenate(found) if found else np.empty(0, np.float32)
