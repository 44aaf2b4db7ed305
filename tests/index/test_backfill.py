"""Every chunk gets its vector: newest first, whatever happens on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from vaultbridge.backends.fakes.clock import FakeClock
from vaultbridge.backends.fakes.embeddings import FakeEmbeddings
from vaultbridge.backends.fakes.store import FakeStore
from vaultbridge.core.errors import ModelMissing, StoreMismatch, WorkerLost
from vaultbridge.core.notes import Chunk, FileState, IndexedNote, NotePath, NoteUpdate, Span
from vaultbridge.core.ports import EmbeddingService
from vaultbridge.core.search import Embedding, Lane
from vaultbridge.index.backfill import (
    COMMIT_CHUNKS,
    COMMIT_SECONDS,
    COMMITS_TO_CLEAN,
    FAILURES_IN_A_ROW,
    LARGEST_COMMIT,
    LOOK_SECONDS,
    RETRY_SECONDS,
    Backfill,
)


def note(path: str, *texts: str, mtime: int = 1) -> NoteUpdate:
    chunks = tuple(Chunk(NotePath(path), n, Span(0, 1, 1, 1), text, (), "") for n, text in enumerate(texts))
    return NoteUpdate(IndexedNote(FileState(NotePath(path), mtime, 1, path), path), chunks)


@asynccontextmanager
async def running(backfill: Backfill) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(backfill.run())
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def embeddings() -> FakeEmbeddings:
    return FakeEmbeddings()


def test_the_fake_is_an_embedding_service(embeddings: FakeEmbeddings) -> None:
    service: EmbeddingService = embeddings
    assert service is embeddings


async def test_newest_first_each_text_once_and_counted(clock: FakeClock, embeddings: FakeEmbeddings) -> None:
    store = FakeStore()
    await store.replace([note("old", "o1", "same", mtime=1), note("new", "n1", "same", mtime=2)])
    backfill = Backfill(store, embeddings, clock)
    async with running(backfill):
        await backfill.finished()
    assert embeddings.documents == ["n1", "same", "o1"]
    assert (backfill.embedded, backfill.pending, backfill.error) == (3, 0, "")
    assert (await store.counts()).vectors == 4


async def test_something_newer_goes_before_the_rest_of_the_archive(clock: FakeClock) -> None:
    store = FakeStore()
    await store.replace([note("archive", *(f"old {n}" for n in range(3 * COMMIT_CHUNKS)))])

    class Edited(FakeEmbeddings):
        """A note is saved while the first batch of the archive is embedded."""

        async def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
            if not self.documents:
                await store.replace([note("today", "fresh", mtime=9)])
                backfill.wake()
            return await super().embed(texts, lane)

    embeddings = Edited()
    backfill = Backfill(store, embeddings, clock)
    async with running(backfill):
        await backfill.finished()
    assert embeddings.documents.index("fresh") == COMMIT_CHUNKS
    assert len(embeddings.documents) == 3 * COMMIT_CHUNKS + 1


async def test_new_chunks_after_the_end_are_found_when_it_is_woken(
    clock: FakeClock, embeddings: FakeEmbeddings
) -> None:
    store = FakeStore()
    backfill = Backfill(store, embeddings, clock)
    async with running(backfill):
        await backfill.finished()
        await store.replace([note("a", "one")])
        backfill.wake()
        await backfill.finished()
    assert embeddings.documents == ["one"]


async def test_the_end_is_not_announced_while_the_store_is_still_being_asked(
    clock: FakeClock, embeddings: FakeEmbeddings
) -> None:
    class Slow(FakeStore):
        def __init__(self) -> None:
            super().__init__()
            self.asked, self.gate = asyncio.Event(), asyncio.Event()

        async def unembedded(self, limit: int) -> list[Chunk]:
            self.asked.set()
            await self.gate.wait()
            return await super().unembedded(limit)

    store = Slow()
    await store.replace([note("a", "one")])
    backfill = Backfill(store, embeddings, clock)
    async with running(backfill):
        await store.asked.wait()
        end = asyncio.create_task(backfill.finished())
        await clock.advance(1)
        assert not end.done()
        store.gate.set()
        await end
    assert embeddings.documents == ["one"]


async def test_a_failure_is_said_and_the_work_goes_on_after_it(clock: FakeClock, embeddings: FakeEmbeddings) -> None:
    store = FakeStore()
    await store.replace([note("a", "one", "two")])
    embeddings.failure = WorkerLost("The embedder died.")
    backfill = Backfill(store, embeddings, clock)
    async with running(backfill):
        await clock.asleep(RETRY_SECONDS)
        assert "died" in backfill.error
        embeddings.failure = None
        end = asyncio.create_task(backfill.finished())
        await clock.advance(RETRY_SECONDS)
        await end
    assert sorted(embeddings.documents) == ["one", "two"]
    assert backfill.error == ""


async def test_a_store_that_fails_once_in_the_middle_is_no_end(clock: FakeClock, embeddings: FakeEmbeddings) -> None:
    class Full(FakeStore):
        full = True

        async def unembedded(self, limit: int) -> list[Chunk]:
            if self.full:
                raise OSError("the drive is gone")
            return await super().unembedded(limit)

    store = Full()
    await store.replace([note("a", "one")])
    backfill = Backfill(store, embeddings, clock)
    async with running(backfill):
        await clock.asleep(RETRY_SECONDS)
        assert "drive" in backfill.error
        end = asyncio.create_task(backfill.finished())
        store.full = False
        await clock.advance(RETRY_SECONDS)
        await end
    assert embeddings.documents == ["one"]


async def test_who_waits_is_told_after_some_failures(clock: FakeClock, embeddings: FakeEmbeddings) -> None:
    store = FakeStore()
    await store.replace([note("a", "one")])
    embeddings.failure = WorkerLost("The embedder died.")
    backfill = Backfill(store, embeddings, clock)
    async with running(backfill) as task:
        end = asyncio.create_task(backfill.finished())
        for failure in range(1, FAILURES_IN_A_ROW):
            await clock.asleep(RETRY_SECONDS * 2 ** (failure - 1))
            assert not end.done()
            await clock.advance(RETRY_SECONDS * 2 ** (failure - 1))
        with pytest.raises(WorkerLost):
            await end
        assert not task.done()  # it goes on trying


@pytest.mark.parametrize("failure", [ModelMissing("No such model."), StoreMismatch("Other dimensions.")])
async def test_a_failure_that_lasts_is_told_at_once(
    clock: FakeClock, embeddings: FakeEmbeddings, failure: ModelMissing | StoreMismatch
) -> None:
    store = FakeStore()
    await store.replace([note("a", "one")])
    embeddings.failure = failure
    backfill = Backfill(store, embeddings, clock)
    async with running(backfill):
        with pytest.raises(type(failure)):
            await backfill.finished()
        assert failure.message in backfill.error


async def test_without_an_embedder_there_is_nothing_to_wait_for(clock: FakeClock) -> None:
    store = FakeStore()
    await store.replace([note("a", "one")])
    backfill = Backfill(store, None, clock)
    await backfill.run()
    await backfill.finished()
    assert (backfill.pending, backfill.error) == (0, "")


async def test_a_large_fill_ends_with_maintenance(clock: FakeClock, embeddings: FakeEmbeddings) -> None:
    store = FakeStore()
    await store.replace([note("gone", "nobody's")])
    backfill = Backfill(store, embeddings, clock)
    async with running(backfill):
        await backfill.finished()
        texts = [f"text {n}" for n in range(LARGEST_COMMIT * COMMITS_TO_CLEAN)]
        await store.replace([note("large", *texts)], [NotePath("gone")])
        backfill.wake()
        await backfill.finished()
    assert await store.vector_tables() == {"fake-1": len(texts)}


async def test_nothing_is_embedded_while_many_notes_are_read(clock: FakeClock, embeddings: FakeEmbeddings) -> None:
    store = FakeStore()
    backfill = Backfill(store, embeddings, clock)
    async with running(backfill):
        await backfill.finished()
        with backfill.stepping_back():
            await store.replace([note("a", "one", "two")])
            backfill.wake(2)
            await clock.advance(60)
            assert (embeddings.documents, backfill.pending, backfill.share) == ([], 2, 0.0)
        await backfill.finished()
    assert embeddings.documents == ["one", "two"]
    assert (backfill.pending, backfill.share) == (0, 1.0)


async def test_a_pause_is_said_and_ends_by_itself(clock: FakeClock, embeddings: FakeEmbeddings) -> None:
    store = FakeStore()
    await store.replace([note("a", "one")])
    reasons = ["on battery"]
    backfill = Backfill(store, embeddings, clock, pause=lambda: "".join(reasons))
    async with running(backfill):
        await clock.asleep(LOOK_SECONDS)
        assert (backfill.paused, backfill.pending, embeddings.documents) == ("on battery", 1, [])
        reasons.clear()
        end = asyncio.create_task(backfill.finished())
        await clock.advance(LOOK_SECONDS)
        await end
    assert (backfill.paused, embeddings.documents) == ("", ["one"])


async def test_the_rate_tells_the_time_that_is_left_and_the_size_of_a_commit(clock: FakeClock) -> None:
    per_text = COMMIT_SECONDS / COMMIT_CHUNKS / 2
    seen: list[tuple[int, float | None]] = []

    class Timed(FakeEmbeddings):
        """Takes its time for each text."""

        async def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
            seen.append((len(texts), backfill.seconds_left))
            await clock.sleep(per_text * len(texts))
            return await super().embed(texts, lane)

    store = FakeStore()
    await store.replace([note("a", *(f"text {n}" for n in range(6 * COMMIT_CHUNKS)))])
    backfill = Backfill(store, Timed(), clock)
    async with running(backfill):
        end = asyncio.create_task(backfill.finished())
        while not end.done():
            await clock.advance(0.1)
        await end
    sizes, left = zip(*seen, strict=True)
    assert sizes[0] == COMMIT_CHUNKS
    assert left[0] is None
    assert max(sizes) == pytest.approx(2 * COMMIT_CHUNKS, rel=0.1), "as many as take the time of a commit"
    assert left[1] == pytest.approx(5 * COMMIT_CHUNKS * per_text, rel=0.1)
    assert backfill.rate == pytest.approx(1 / per_text, rel=0.1)
