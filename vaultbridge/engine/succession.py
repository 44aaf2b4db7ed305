"""One embedder after another: questions go on with the former one until the new one has seen every note."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from vaultbridge.core.ports import EmbeddingService
from vaultbridge.core.search import EmbedderInfo, Embedding, Lane


class Succession:
    """Implements ``core.ports.EmbeddingService`` for questions. ``farewell`` ends the former one."""

    def __init__(
        self, former: EmbeddingService, heir: EmbeddingService, farewell: Callable[[], Awaitable[None]]
    ) -> None:
        self._serving = former
        self._heir = heir
        self._farewell = farewell

    @property
    def over(self) -> bool:
        """Whether the new one serves."""
        return self._serving is self._heir

    def now(self) -> EmbeddingService:
        """The one that serves."""
        return self._serving

    async def info(self) -> EmbedderInfo:
        """What it is."""
        return await self._serving.info()

    async def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        """Embed ``texts`` by it."""
        return await self._serving.embed(texts, lane)

    async def complete(self) -> None:
        """The new one serves from now on."""
        if not self.over:
            self._serving = self._heir
            await self._farewell()
