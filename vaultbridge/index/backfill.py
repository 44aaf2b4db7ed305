"""Gives every chunk its vector, behind the keyword lane, newest notes first."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from vaultbridge.core.errors import ConfigError, StoreMismatch, VaultbridgeError
from vaultbridge.core.ports import ChunkStore, Clock, EmbeddingService

log = logging.getLogger(__name__)

ROUND_CHUNKS = 512
"""Chunks looked up at a time."""
COMMIT_CHUNKS = 32
"""Vectors in one commit: what a kill can cost at the most."""
COMMITS_BEFORE_MAINTENANCE = 16
RETRY_SECONDS = 5.0
"""The wait after a failure, doubled by each further one in a row up to the longest."""
LONGEST_RETRY_SECONDS = 300.0
FAILURES_IN_A_ROW = 3
"""After so many, or one that time does not heal, somebody who waits for the end is told instead."""


class Backfill:
    """The only writer of the store's vectors. ``run`` works until it is cancelled.

    ``on_growth`` is told how many chunks have one, each time that this is looked up.
    """

    def __init__(
        self,
        store: ChunkStore,
        embeddings: EmbeddingService | None,
        clock: Clock,
        on_growth: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        self._store = store
        self._embeddings = embeddings
        self._clock = clock
        self._on_growth = on_growth
        self._wake = asyncio.Event()
        self._wake.set()
        self._changed = asyncio.Event()
        self._failed: VaultbridgeError | OSError | None = None
        self._failures = 0
        self._working = False
        self.pending = 0
        self.embedded = 0
        """Texts embedded since the start: what a move or a restart must not raise."""

    @property
    def error(self) -> str:
        """Why vectors are not being made; empty if they are."""
        return str(self._failed) if self._failed is not None else ""

    def wake(self) -> None:
        """There may be chunks without a vector."""
        self._wake.set()

    async def finished(self) -> None:
        """Wait until no chunk waits for a vector. Raises what keeps it from being so."""
        while self._embeddings is not None and (self._wake.is_set() or self._working or self.pending):
            lasting = isinstance(self._failed, ConfigError | StoreMismatch)
            if self._failed is not None and (lasting or self._failures >= FAILURES_IN_A_ROW):
                raise self._failed
            await self._changed.wait()

    async def run(self) -> None:
        """Embed what has no vector whenever there is some; failures are said and tried again."""
        if self._embeddings is None:
            return
        while True:
            await self._wake.wait()
            self._working = True
            try:
                await self._fill(self._embeddings)
                self._failed, self._failures = None, 0
            except (VaultbridgeError, OSError) as error:
                self._failed, self._failures = error, self._failures + 1
                self._wake.set()  # there is still something to do
                log.warning("no vectors are made: %s", error)
            finally:
                self._working = False
                self._signal()
            if isinstance(self._failed, ConfigError):
                return
            if self._failed is not None:
                await self._clock.sleep(min(RETRY_SECONDS * 2 ** (self._failures - 1), LONGEST_RETRY_SECONDS))

    async def _fill(self, embeddings: EmbeddingService) -> None:
        info = await embeddings.info()
        await self._store.use_vectors(info.fingerprint, info.dimensions)
        commits = 0
        while True:
            self._wake.clear()
            chunks = await self._store.unembedded(ROUND_CHUNKS)
            counts = await self._store.counts()
            self.pending = max(counts.chunks - counts.vectors, len(chunks))
            self._signal()
            if self._on_growth is not None:
                await self._on_growth(counts.vectors)
            if not chunks:
                self.pending = 0
                if commits >= COMMITS_BEFORE_MAINTENANCE:
                    await self._store.maintain()
                return
            for at in range(0, len(chunks), COMMIT_CHUNKS):
                batch = chunks[at : at + COMMIT_CHUNKS]
                vectors = await embeddings.embed([chunk.embedded for chunk in batch], "document")
                await self._store.put_vectors(
                    {chunk.digest: vector for chunk, vector in zip(batch, vectors, strict=True)}
                )
                commits += 1
                self.embedded += len(batch)
                self.pending = max(0, self.pending - len(batch))
                self._signal()
                if self._wake.is_set():  # something newer came: it goes first
                    break

    def _signal(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
