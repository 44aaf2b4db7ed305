"""A vault on the disk, and an indexer over it whose store, embedder, hints and time belong to the test."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from vaultbridge.backends.fakes.changes import FakeChanges
from vaultbridge.backends.fakes.clock import FakeClock
from vaultbridge.backends.fakes.embeddings import FakeEmbeddings
from vaultbridge.backends.fakes.store import FakeStore
from vaultbridge.core.errors import DiskFull
from vaultbridge.core.notes import Chunk, IndexedNote, NotePath, NoteUpdate, Row
from vaultbridge.core.ports import ChunkStore
from vaultbridge.index.backfill import Backfill
from vaultbridge.index.indexer import Indexer
from vaultbridge.index.settle import CEILING_SECONDS
from vaultbridge.vault.files import Vault


class WatchedStore(FakeStore):
    """Remembers what was written: updated paths, then removed ones, for each commit. ``full`` makes writing fail."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[tuple[list[str], list[str]]] = []
        self.full = False

    async def replace(self, updates: Sequence[NoteUpdate], removed: Sequence[NotePath] = ()) -> None:
        if self.full:
            raise DiskFull("No room is left for the index.")
        self.commits.append(([update.note.state.path for update in updates], list(removed)))
        await super().replace(updates, removed)

    @property
    def written(self) -> list[str]:
        """Every path that was updated, in order."""
        return [path for updated, _ in self.commits for path in updated]

    async def everything(self) -> dict[str, list[Chunk]]:
        """Every note's chunks."""
        return {note.state.path: await self.chunks(note.state.path) for note in await self.notes()}


class Realm:
    """A vault in a folder and its index. ``clock`` stands still, so mtimes are the test's too: each write is newer.

    ``listener`` hears of the notes whose text left the index.
    """

    def __init__(self, root: Path, store: ChunkStore) -> None:
        self.root = root
        self.clock = FakeClock()
        self.store = store
        self.changes = FakeChanges()
        self.embeddings = FakeEmbeddings()
        self.listener: Callable[[Collection[NotePath]], None] = lambda paths: None
        self._ticks = 0
        self.open()

    def open(self) -> None:
        """A new indexer over the same store, as after a restart."""
        self.backfill = Backfill(self.store, self.embeddings, self.clock)
        self.indexer = Indexer(
            Vault(self.root), self.store, self.changes, self.clock, self.backfill, lambda paths: self.listener(paths)
        )

    def write(self, path: str, text: str | bytes) -> str:
        """Write a file, newer than every one before; its path."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        self._ticks += 1
        os.utime(file, (self._ticks, self._ticks))
        return path

    def move(self, old: str, new: str) -> tuple[str, str]:
        """Move a file or folder; both paths."""
        (self.root / new).parent.mkdir(parents=True, exist_ok=True)
        (self.root / old).rename(self.root / new)
        return old, new

    def delete(self, path: str) -> str:
        """Delete a file; its path."""
        (self.root / path).unlink()
        return path

    async def sync(self) -> None:
        """One full comparison, and every vector."""
        await self.indexer.sync()
        task = asyncio.create_task(self.backfill.run())
        await self.backfill.finished()
        task.cancel()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """The indexer and the backfill run."""
        tasks = [asyncio.create_task(self.indexer.run()), asyncio.create_task(self.backfill.run())]
        await self.clock.advance(0)
        yield
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(result, asyncio.CancelledError)

    async def hint(self, *paths: str | None) -> None:
        """Report changes and let the batch close; the indexer has them now."""
        for path in paths:
            self.changes.report(None if path is None else str(self.root / path))
        await self.clock.advance(CEILING_SECONDS)

    async def follow(self, *paths: str | None) -> None:
        """Report changes, and wait until they are in the index."""
        await self.hint(*paths)
        await self.indexer.settled()

    async def notes(self) -> list[str]:
        """The paths that the index knows."""
        return [note.state.path for note in await self.store.notes()]

    async def reason(self, path: str) -> str:
        """Why a known note is not indexed whole."""
        return (await self.receipt(path)).reason

    async def receipt(self, path: str) -> IndexedNote:
        """The receipt of a known note."""
        return (await self.store.receipts([NotePath(path)]))[NotePath(path)]

    async def text(self, path: str) -> str:
        """What the index holds of a note."""
        return "\n\n".join(chunk.text for chunk in await self.store.chunks(NotePath(path)))

    async def rebuilt(self) -> list[Row]:
        """The rows of an index that begins now."""
        fresh = World(self.root)
        await fresh.sync()
        return await fresh.store.rows()


class World(Realm):
    """A realm whose index is in memory, and watched."""

    store: WatchedStore

    def __init__(self, root: Path) -> None:
        super().__init__(root, WatchedStore())
