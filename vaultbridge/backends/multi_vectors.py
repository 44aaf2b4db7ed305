"""How multi-vectors are kept: a byte for each number, a quarter of what they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vaultbridge.core.search import Vector

LARGEST = 127


def packed(multi: Vector) -> list[bytes]:
    """A byte string for each token's vector, whose length is not kept: they all have length 1."""
    greatest = np.abs(multi).max(axis=1, keepdims=True, initial=np.finfo(np.float32).tiny)
    return [row.tobytes() for row in np.rint(multi * (LARGEST / greatest)).astype(np.int8)]


def unpacked(rows: Sequence[bytes]) -> Vector:
    """``(tokens, dimensions)`` float32, each of length 1 again; a cosine with one is off by 0.001 at most."""
    numbers = np.frombuffer(b"".join(rows), np.int8).reshape(len(rows), -1).astype(np.float32)
    multi: Vector = numbers / np.maximum(np.linalg.norm(numbers, axis=1, keepdims=True), 1)
    return multi
