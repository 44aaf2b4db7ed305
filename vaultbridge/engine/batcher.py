"""The embedder as the rest of the house sees it: batches, questions ahead of indexing."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from vaultbridge.core.errors import NotReady, VaultbridgeError
from vaultbridge.core.search import EmbedderInfo, Embedding, Lane
from vaultbridge.engine.activity import Activity
from vaultbridge.engine.calls import Embed
from vaultbridge.engine.host import Host

BATCH_SECONDS = 0.25
"""How long an indexing batch should take, which is how long a question may have to wait for it."""
MOST_TEXTS = 64
PATIENCE_SECONDS = 2.0
"""How long an indexing batch waits for running answers to end."""


@dataclass(eq=False, slots=True)
class _Item:
    text: str
    lane: Lane
    result: asyncio.Future[Embedding] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Batcher:
    """Implements ``core.ports.EmbeddingService`` over a Host that runs an EmbedderWorker.

    One batch is in the child at a time. The size of an indexing batch follows the speed seen so far.
    """

    def __init__(self, host: Host, activity: Activity) -> None:
        self._host = host
        self._activity = activity
        self._questions: deque[_Item] = deque()
        self._documents: deque[_Item] = deque()
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._characters = 2000.0

    def now(self) -> Batcher:
        """Itself: no other will take its place."""
        return self

    async def info(self) -> EmbedderInfo:
        """What the embedder is, once it is loaded."""
        info = await self._host.info()
        assert isinstance(info, EmbedderInfo)
        return info

    async def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        """Embed ``texts``; what arrives together on one lane is computed together."""
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        items = [_Item(text, lane) for text in texts]
        (self._questions if lane == "query" else self._documents).extend(items)
        self._arrived.set()
        try:
            return list(await asyncio.gather(*(item.result for item in items)))
        finally:
            for item in items:
                item.result.cancel()  # abandoned items are skipped; done ones do not mind

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            if not self._questions and self._documents:
                await self._activity.idle(PATIENCE_SECONDS)
            if batch := self._take():
                await self._run(batch)
            elif not self._questions and not self._documents:
                self._arrived.clear()

    def _take(self) -> list[_Item]:
        lane = self._questions or self._documents
        budget = self._characters
        batch: list[_Item] = []
        while lane and len(batch) < MOST_TEXTS and (not batch or len(lane[0].text) <= budget):
            item = lane.popleft()
            if not item.result.done():
                batch.append(item)
                budget -= len(item.text)
        return batch

    async def _run(self, batch: list[_Item]) -> None:
        started = time.monotonic()
        try:
            request = Embed(tuple(item.text for item in batch), batch[0].lane)
            async with aclosing(self._host.call(request)) as replies:
                async for embeddings in replies:
                    for item, embedding in zip(batch, embeddings, strict=True):
                        if not item.result.done():
                            item.result.set_result(embedding)
        except VaultbridgeError as error:
            for item in batch:
                if not item.result.done():
                    item.result.set_exception(error)
            return
        characters = sum(len(item.text) for item in batch)
        fitting = characters * BATCH_SECONDS / max(time.monotonic() - started, 1e-3)
        self._characters = min(max(0.7 * self._characters + 0.3 * fitting, 500.0), 100_000.0)

    async def close(self) -> None:
        """Stop; what still waits fails with NotReady."""
        if self._task is not None:
            self._task.cancel()
        for item in (*self._questions, *self._documents):
            if not item.result.done():
                item.result.set_exception(NotReady("The embedder is shutting down."))
