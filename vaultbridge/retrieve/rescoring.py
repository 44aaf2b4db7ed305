"""A second look at the best hits: by the embedder's multi-vector head, then by the reranker, within a time budget."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from vaultbridge.core.errors import DeadlineExceeded, VaultbridgeError
from vaultbridge.core.ports import ChunkStore, RerankService
from vaultbridge.core.search import Hit, Vector

log = logging.getLogger(__name__)

MULTI = "multi"
RERANK = "rerank"
MULTI_HITS = 50
"""Hits that the multi-vector head looks at: a matrix product each."""
RERANK_HITS = 20
"""Hits that the reranker looks at: a forward pass each. What a prompt holds comes from among them."""


@dataclass(frozen=True, slots=True)
class Rescored:
    """The hits in their new order. ``degraded``: which second look could not be had, and the code of what kept it."""

    hits: Sequence[Hit]
    degraded: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rescoring:
    """Looks again. A reranker that fails, or takes longer than ``seconds``, leaves the order as it was and is named."""

    store: ChunkStore
    reranker: RerankService | None = None
    seconds: float = 1.5

    async def rescored(self, hits: Sequence[Hit], question: str, multi: Vector | None = None) -> Rescored:
        """``hits``, best first, in the order of the second look; ``multi`` is the question's, if the embedder has one.

        Only the best are looked at and change places among themselves. A hit takes the score of its new place, so that
        scores fall from first to last as before; what the second look said stands in its ``lanes``.
        """
        if len(hits) < 2:
            return Rescored(hits)
        if multi is not None:
            hits = await self._by_multi(hits, multi)
        if self.reranker is None:
            return Rescored(hits)
        best = hits[:RERANK_HITS]
        try:
            passages = [hit.chunk.embedded for hit in best]
            scores = await asyncio.wait_for(self.reranker.score(question, passages), self.seconds)
        except asyncio.TimeoutError:
            return _unranked(hits, DeadlineExceeded(f"The reranker takes longer than {self.seconds:g} s."))
        except VaultbridgeError as error:
            return _unranked(hits, error)
        return Rescored([*_placed(best, RERANK, scores, scores), *hits[RERANK_HITS:]])

    async def _by_multi(self, hits: Sequence[Hit], question: Vector) -> Sequence[Hit]:
        """By the fused score and MaxSim in equal parts, each as a part of the way from its least to its greatest.

        If one of the best has no vectors yet, nothing is changed: it could not be compared.
        """
        best = hits[:MULTI_HITS]
        stored = await self.store.multi([hit.chunk.digest for hit in best])
        if any(hit.chunk.digest not in stored for hit in best):
            return hits
        similar = [max_sim(question, stored[hit.chunk.digest]) for hit in best]
        joined = _spread([hit.score for hit in best]) + _spread(similar)
        return [*_placed(best, MULTI, similar, joined.tolist()), *hits[MULTI_HITS:]]


def max_sim(question: Vector, passage: Vector) -> float:
    """The mean, over the question's vectors, of the greatest cosine with one of the passage's (late interaction)."""
    return float((question @ passage.T).max(axis=1).mean())


def _unranked(hits: Sequence[Hit], error: VaultbridgeError) -> Rescored:
    log.info("the reranker is away: %s", error)
    return Rescored(hits, {RERANK: error.code})


def _placed(best: Sequence[Hit], lane: str, said: Sequence[float], worth: Sequence[float]) -> list[Hit]:
    """``best`` by their worth, each with the score of its new place; equal ones keep their order."""
    order = sorted(range(len(best)), key=lambda place: -worth[place])
    return [
        replace(best[old], score=best[new].score, lanes={**best[old].lanes, lane: said[old]})
        for new, old in enumerate(order)
    ]


def _spread(values: Sequence[float]) -> Vector:
    array = np.asarray(values, np.float32)
    width = float(array.max() - array.min())
    spread: Vector = (array - array.min()) / width if width else np.zeros_like(array)
    return spread
