"""Lets chunks that say the like share their scores: what answers a question mostly stands beside more of its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from vaultbridge.core.search import Hit, Vector
from vaultbridge.retrieve.fusion import ranked

DEPTH = 100
"""Hits that take part, the best ones."""
NEIGHBOURS = 5
"""Of them, those whose scores a hit shares: the nearest by meaning."""


def smoothed(hits: Sequence[Hit], vectors: Mapping[str, Vector], share: float) -> list[Hit]:
    """Take a ``share`` of each hit's score from its nearest neighbours, weighed by their cosines; best first again.

    Score regularization over the hits' nearest neighbours (Diaz, CIKM 2005), one step of it. ``vectors`` are by chunk
    key; hits without one, and those far behind, keep their scores.
    """
    near = [hit for hit in hits[:DEPTH] if hit.chunk.key in vectors]
    if len(near) <= NEIGHBOURS:
        return list(hits)
    stacked = np.stack([vectors[hit.chunk.key] for hit in near])
    cosines = stacked @ stacked.T
    np.fill_diagonal(cosines, -1.0)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :NEIGHBOURS]
    weights = np.maximum(np.take_along_axis(cosines, nearest, axis=1), 1e-6)
    scores = np.array([hit.score for hit in near])
    shared = (weights * scores[nearest]).sum(axis=1) / weights.sum(axis=1)
    smooth = dict(zip((hit.chunk.key for hit in near), ((1 - share) * scores + share * shared).tolist(), strict=True))
    return ranked(replace(hit, score=smooth.get(hit.chunk.key, hit.score)) for hit in hits)
