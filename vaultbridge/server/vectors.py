"""Vectors as clients ask for them."""

from __future__ import annotations

import numpy as np

from vaultbridge.core.search import Vector


def shortened(vector: Vector, dimensions: int) -> Vector:
    """The first ``dimensions`` numbers of a vector, brought to length one again; itself if it has no more."""
    if dimensions >= len(vector):
        return vector
    first = vector[:dimensions]
    length = float(np.linalg.norm(first))
    return first / np.float32(length) if length else first
