"""From a query to ranked hits: the lanes side by side, fused, and what is not relevant left out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vaultbridge.core.errors import ConfigError, NotReady, VaultbridgeError
from vaultbridge.core.ports import ChunkStore, EmbeddingService
from vaultbridge.core.search import Hit, Query, Scored, Vector
from vaultbridge.retrieve.fusion import reciprocal_rank
from vaultbridge.retrieve.relevance import COVERAGE_FLOOR, coverage, telling, terms

log = logging.getLogger(__name__)

LANE_LIMIT = 100
"""Chunks that each lane brings to the fusion, at least."""
PATIENCE_SECONDS = 10.0
"""How long a question waits for an embedder that is still loading before the other lanes answer alone."""


@dataclass(frozen=True, slots=True)
class _Dense:
    """What the dense lane found; ``vector`` None if it was away. ``floor`` is the embedder's."""

    ranking: Sequence[Scored] = ()
    vector: Vector | None = None
    floor: float = 1.0


class Retriever:
    """Finds chunks. Without an embedder, or while it is away, the keyword lane answers alone."""

    def __init__(self, store: ChunkStore, embeddings: EmbeddingService | None) -> None:
        self._store = store
        self._embeddings = embeddings

    async def search(self, query: Query) -> list[Hit]:
        """The best ``query.limit`` chunks, best first. Raises what keeps the dense lane away if only it is asked."""
        hits, _ = await self._hits(query)
        return hits[: query.limit]

    async def relevant(self, query: Query, editing: str = "", *, any_hit: bool = False) -> list[Hit]:
        """The hits that speak of the query, best first: near enough by meaning, or with most of its words.

        ``editing`` is the title of a note that is left out; ``any_hit`` takes the best ones, however far they are.
        An empty list is an answer: the vault does not know.
        """
        hits, dense = await self._hits(query)
        hits = [hit for hit in hits if not editing or _stem(hit.chunk.note) != editing]
        if any_hit:
            return hits[: query.limit]
        asked = terms(query.text)
        near = {} if dense.vector is None else await self._store.vectors([hit.chunk.digest for hit in hits])

        def speaks(hit: Hit) -> bool:
            stored = near.get(hit.chunk.digest)
            if dense.vector is not None and stored is not None and float(np.dot(dense.vector, stored)) >= dense.floor:
                return True
            return coverage(asked, hit.chunk) >= COVERAGE_FLOOR

        return [hit for hit in hits if speaks(hit)][: query.limit]

    async def _hits(self, query: Query) -> tuple[list[Hit], _Dense]:
        if not query.text.strip():
            return [], _Dense()
        limit = max(LANE_LIMIT, query.limit)
        keyword, dense = await asyncio.gather(self._keyword(query, limit), self._dense(query, limit))
        return reciprocal_rank({"keyword": keyword, "dense": dense.ranking}), dense

    async def _keyword(self, query: Query, limit: int) -> Sequence[Scored]:
        if query.mode == "dense":
            return []
        return await self._store.keyword(telling(query.text), query.scope, limit)

    async def _dense(self, query: Query, limit: int) -> _Dense:
        if query.mode == "keyword":
            return _Dense()
        try:
            if self._embeddings is None:
                raise ConfigError("No embedder is chosen.", "Pass --embedder NAME.")
            vector = await self._embed(self._embeddings, query.text)
            info = await self._embeddings.info()
            await self._store.use_vectors(info.fingerprint, info.dimensions)
            return _Dense(await self._store.dense(vector, query.scope, limit), vector, info.floor)
        except VaultbridgeError as error:
            if query.mode == "dense":
                raise
            log.info("the dense lane is away: %s", error)
            return _Dense()

    async def _embed(self, embeddings: EmbeddingService, text: str) -> Vector:
        try:
            (embedding,) = await asyncio.wait_for(embeddings.embed([text], "query"), PATIENCE_SECONDS)
        except asyncio.TimeoutError:
            raise NotReady("The embedder is still loading.", "Try again in a moment.") from None
        return embedding.dense


def _stem(path: str) -> str:
    return path.rsplit("/", 1)[-1].removesuffix(".md")
