"""Reads batches of notes, the next ones while the last are written: a few in a thread, many in other processes."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor
from dataclasses import dataclass
from itertools import chain

from vaultbridge.core.notes import Change, IndexedNote, NotePath, NoteUpdate
from vaultbridge.index.reader import NoteReader
from vaultbridge.vault.content_rules import ContentRules

log = logging.getLogger(__name__)

FEW_NOTES = 128
"""Up to so many are read in a thread: other processes take longer to start."""
TASK_NOTES = 32
"""Notes in one task of another process: what ends late when the server does."""
FIRST_BATCH = 64
LARGEST_BATCH = 1024
"""Batches double: the first notes can be found at once, and the last ones do not pay for many commits."""
AHEAD = 2
"""Batches that are read while one is written."""

Known = Mapping[NotePath, IndexedNote]


@dataclass(frozen=True, slots=True)
class Batch:
    """What some changes, so many, come to: the ``updates``, and the paths whose file vanished meanwhile."""

    changes: int
    updates: list[NoteUpdate]
    vanished: list[NotePath]


class Reading:
    """Reads notes through ``reader``, which is sent to the processes of a ``pool`` that lives while many are read."""

    def __init__(self, reader: NoteReader, pool: Callable[[], Executor]) -> None:
        self._reader = reader
        self._pool = pool

    async def batches(
        self, changes: Sequence[Change], receipts: Known, rules: ContentRules
    ) -> AsyncGenerator[Batch, None]:
        """Yield what ``changes`` come to, in their order. To be closed, if it is left before its end."""
        if len(changes) <= FEW_NOTES:
            if changes:
                yield await self._here(changes, receipts, rules)
            return
        pool = self._pool()
        try:
            reading: deque[asyncio.Task[Batch]] = deque()
            for batch in _growing(changes):
                reading.append(asyncio.create_task(self._beside(pool, batch, receipts, rules)))
                if len(reading) > AHEAD:
                    yield await reading.popleft()
            while reading:
                yield await reading.popleft()
        finally:
            for task in reading:
                task.cancel()
            pool.shutdown(wait=False, cancel_futures=True)

    async def _beside(self, pool: Executor, changes: Sequence[Change], receipts: Known, rules: ContentRules) -> Batch:
        loop = asyncio.get_running_loop()
        tasks = [changes[at : at + TASK_NOTES] for at in range(0, len(changes), TASK_NOTES)]
        try:
            parts = await asyncio.gather(
                *(loop.run_in_executor(pool, self._reader.read, task, _known(task, receipts), rules) for task in tasks)
            )
        except BrokenExecutor:
            # Somebody ended one of the processes; this one can read as well.
            log.warning("A process that reads notes ended unexpectedly; reading goes on without it.")
            return await self._here(changes, receipts, rules)
        updates = list(chain.from_iterable(found for found, _ in parts))
        return Batch(len(changes), updates, list(chain.from_iterable(gone for _, gone in parts)))

    async def _here(self, changes: Sequence[Change], receipts: Known, rules: ContentRules) -> Batch:
        updates, vanished = await asyncio.to_thread(self._reader.read, changes, receipts, rules)
        return Batch(len(changes), updates, vanished)


def _growing(changes: Sequence[Change]) -> Iterator[Sequence[Change]]:
    at, size = 0, FIRST_BATCH
    while at < len(changes):
        yield changes[at : at + size]
        at, size = at + size, min(2 * size, LARGEST_BATCH)


def _known(changes: Sequence[Change], receipts: Known) -> Known:
    """The receipts that a reader asks for, to be sent with its task."""
    paths = (change.origin or change.path for change in changes)
    return {path: receipts[path] for path in paths if path in receipts}
