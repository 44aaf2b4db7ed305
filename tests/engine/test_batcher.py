from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import pytest

from tests.engine.inline import launch_inline
from vaultbridge.backends.fakes.clock import FakeClock
from vaultbridge.backends.fakes.embedder import FakeEmbedder
from vaultbridge.core.errors import EmbedFailed
from vaultbridge.core.search import Embedding, Lane
from vaultbridge.engine.activity import Activity
from vaultbridge.engine.batcher import Batcher
from vaultbridge.engine.host import Host, Rest
from vaultbridge.engine.worker import EmbedderWorker


class WatchedEmbedder(FakeEmbedder):
    """Remembers its batches; waits at the gate; fails on the word ``poison``."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[tuple[Lane, list[str]]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        self.batches.append((lane, list(texts)))
        self.entered.set()
        assert self.gate.wait(10)
        if "poison" in texts:
            raise EmbedFailed("The text is poisonous.")
        return super().embed(texts, lane)


@pytest.fixture
def embedder() -> WatchedEmbedder:
    return WatchedEmbedder()


@pytest.fixture
async def batcher(embedder: WatchedEmbedder) -> AsyncIterator[Batcher]:
    host = Host("embedder", lambda: EmbedderWorker(embedder), launch_inline)
    batcher = Batcher(host, Activity())
    yield batcher
    embedder.gate.set()
    await batcher.close()
    await host.close()


async def test_every_text_gets_its_own_vector(batcher: Batcher) -> None:
    one, two = await batcher.embed(["garden", "kitchen"], "document")
    (again,) = await batcher.embed(["kitchen"], "document")
    assert (two.dense == again.dense).all()
    assert (one.dense != two.dense).any()


async def test_callers_that_come_together_share_a_batch(batcher: Batcher, embedder: WatchedEmbedder) -> None:
    await batcher.info()
    await asyncio.gather(*(batcher.embed([f"text {i}"], "document") for i in range(5)))
    assert len(embedder.batches) == 1


async def test_a_question_goes_before_documents_that_wait(batcher: Batcher, embedder: WatchedEmbedder) -> None:
    await batcher.info()
    embedder.gate.clear()
    waiting = [asyncio.ensure_future(batcher.embed(["d" * 1500 for _ in range(20)], "document"))]
    await asyncio.to_thread(embedder.entered.wait, 10)
    waiting.append(asyncio.ensure_future(batcher.embed(["question"], "query")))
    await asyncio.sleep(0)  # lets the second caller put its text into the queue
    embedder.gate.set()
    await asyncio.gather(*waiting)
    assert [lane for lane, _ in embedder.batches].index("query") == 1


async def test_a_failed_batch_fails_its_callers_and_the_next_one_works(
    batcher: Batcher, embedder: WatchedEmbedder
) -> None:
    with pytest.raises(EmbedFailed):
        await batcher.embed(["poison"], "document")
    assert len(await batcher.embed(["fine"], "document")) == 1


async def test_nobody_computes_what_nobody_waits_for(batcher: Batcher, embedder: WatchedEmbedder) -> None:
    await batcher.info()
    embedder.gate.clear()
    first = asyncio.create_task(batcher.embed(["first"], "document"))
    await asyncio.to_thread(embedder.entered.wait, 10)
    abandoned = asyncio.create_task(batcher.embed(["abandoned"], "document"))
    await asyncio.sleep(0)
    abandoned.cancel()
    embedder.gate.set()
    await first
    await batcher.embed(["last"], "document")
    assert all("abandoned" not in texts for _, texts in embedder.batches)


async def test_an_embedder_that_rests_is_known_and_comes_back_for_the_next_question(embedder: WatchedEmbedder) -> None:
    clock = FakeClock()
    host = Host("embedder", lambda: EmbedderWorker(embedder), launch_inline, Rest(60.0, clock))
    batcher = Batcher(host, Activity())
    (first,) = await batcher.embed(["garden"], "query")
    await clock.advance(60)
    assert host.state == "stopped"
    assert (await batcher.info(), host.state) == (embedder.info, "stopped"), "to be known it need not be loaded"
    (again,) = await batcher.embed(["garden"], "query")
    assert (first.dense == again.dense).all()
    await batcher.close()
    await host.close()
