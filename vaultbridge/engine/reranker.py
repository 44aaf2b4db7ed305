"""The reranker as the rest of the house sees it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing

from vaultbridge.core.errors import NotReady
from vaultbridge.engine.activity import Activity
from vaultbridge.engine.calls import Rerank
from vaultbridge.engine.host import Host


class HostedReranker:
    """Implements ``core.ports.RerankService`` over a Host that runs a RerankerWorker."""

    def __init__(self, name: str, host: Host, activity: Activity) -> None:
        self.name = name
        self._host = host
        self._activity = activity

    async def ready(self) -> None:
        """Wait until the model is loaded. Raises NotReady or ConfigError if it cannot be."""
        await self._host.ready()

    async def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """Score each passage; indexing steps back meanwhile. Raises NotReady at once while the model is loading."""
        if self._host.state == "stopped":
            self._host.start()
        if self._host.state in ("stopped", "loading", "restarting"):
            raise NotReady("The reranker is still loading.", self._host.reason or "Try again in a moment.")
        if not passages:
            return []
        scores: list[float] = []
        with self._activity.answering():
            async with aclosing(self._host.call(Rerank(question, tuple(passages)))) as replies:
                async for reply in replies:
                    scores = reply
        return scores
