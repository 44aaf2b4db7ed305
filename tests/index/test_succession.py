"""Another embedder is chosen: questions go on with the former one until every chunk has a vector of the new one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from tests.index.test_backfill import note, running
from vaultbridge.backends.fakes.clock import FakeClock
from vaultbridge.backends.fakes.embeddings import FakeEmbeddings
from vaultbridge.backends.fakes.store import FakeStore
from vaultbridge.core.errors import NotReady
from vaultbridge.core.search import EmbedderInfo, Embedding, Lane, Query
from vaultbridge.engine.succession import Succession
from vaultbridge.index.backfill import COMMIT_CHUNKS, Backfill
from vaultbridge.retrieve.retriever import Retriever

TEXTS = [f"text {number}" for number in range(3 * COMMIT_CHUNKS)]


class Heir(FakeEmbeddings):
    """Another space, whose documents wait for the gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def info(self) -> EmbedderInfo:
        """What the fake embedder is, in its own space."""
        return replace(await super().info(), fingerprint="heir")

    async def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        """Turned round, so that nothing is near in the other space."""
        if lane == "document":
            await self.gate.wait()
        return [replace(found, dense=-found.dense[::-1]) for found in await super().embed(texts, lane)]


class Leaving(FakeEmbeddings):
    """Ends while it embeds a question."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.ended = asyncio.Event(), asyncio.Event()

    async def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        """Wait for the end, and fail as a batcher does."""
        self.asked.set()
        await self.ended.wait()
        raise NotReady("The embedder is shutting down.")


async def test_a_question_that_the_former_embedder_leaves_behind_is_put_to_the_new_one() -> None:
    store, former, heir = FakeStore(), Leaving(), FakeEmbeddings()
    await store.replace([note("a", "one", "two")])
    async with running(Backfill(store, heir, FakeClock())) as backfill:
        while (await store.counts()).vectors < 2:
            await asyncio.sleep(0)
        backfill.cancel()

    async def farewell() -> None:
        former.ended.set()

    succession = Succession(former, heir, farewell)
    asking = asyncio.create_task(Retriever(store, succession).search(Query("two", limit=1, mode="dense")))
    await former.asked.wait()
    await succession.complete()
    assert [hit.chunk.text for hit in (await asking).hits] == ["two"]


async def test_questions_go_on_with_the_former_embedder_until_the_new_one_is_done() -> None:
    store, clock, former, heir = FakeStore(), FakeClock(), FakeEmbeddings(), Heir()
    await store.replace([note("a", *TEXTS)])
    async with running(Backfill(store, former, clock)) as first:
        while (await store.counts()).vectors < len(TEXTS):
            await clock.advance(1)
        first.cancel()
    ended: list[bool] = []

    async def farewell() -> None:
        ended.append(True)

    succession = Succession(former, heir, farewell)
    retriever = Retriever(store, succession)

    async def found() -> list[str]:
        hits = (await retriever.search(Query(TEXTS[7], limit=1, mode="dense"))).hits
        return [hit.chunk.text for hit in hits]

    async def complete(info: EmbedderInfo) -> None:
        assert info.fingerprint == "heir"
        await succession.complete()

    backfill = Backfill(store, heir, clock, on_complete=complete)
    async with running(backfill):
        await clock.advance(1)
        assert await found() == [TEXTS[7]]
        assert (await store.counts()).vectors == 0, "of the new one"
        assert (succession.over, ended, heir.questions) == (False, [], [])
        asked = len(former.questions)
        heir.gate.set()
        await backfill.finished()
        assert (succession.over, ended) == (True, [True])
        assert await found() == [TEXTS[7]]
    assert len(former.questions) == asked
    assert heir.questions
    assert await store.vector_tables() == {"fake-1": len(TEXTS), "heir": len(TEXTS)}
