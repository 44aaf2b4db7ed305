"""An EmbeddingService in this process, over the fake embedder."""

from __future__ import annotations

from collections.abc import Sequence

from vaultbridge.backends.fakes.embedder import FakeEmbedder
from vaultbridge.core.errors import VaultbridgeError
from vaultbridge.core.search import EmbedderInfo, Embedding, Lane


class FakeEmbeddings:
    """Embeds at once. ``documents`` and ``questions`` are the texts embedded so far; ``failure`` makes it fail."""

    def __init__(self) -> None:
        self._embedder = FakeEmbedder()
        self.documents: list[str] = []
        self.questions: list[str] = []
        self.failure: VaultbridgeError | None = None

    def now(self) -> FakeEmbeddings:
        """Itself: no other will take its place."""
        return self

    async def info(self) -> EmbedderInfo:
        """What the embedder is. Raises ``failure``."""
        if self.failure is not None:
            raise self.failure
        return self._embedder.info

    async def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        """Embed ``texts``. Raises ``failure``."""
        if self.failure is not None:
            raise self.failure
        (self.questions if lane == "query" else self.documents).extend(texts)
        return self._embedder.embed(texts, lane)
