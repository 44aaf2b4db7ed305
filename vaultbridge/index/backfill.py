"""Gives every chunk its vector, behind the keyword lane, newest and most linked notes first."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

from vaultbridge.core.duration import in_words
from vaultbridge.core.errors import ConfigError, StoreMismatch, VaultbridgeError
from vaultbridge.core.notes import Chunk
from vaultbridge.core.ports import ChunkStore, Clock, EmbeddingService
from vaultbridge.core.search import EmbedderInfo
from vaultbridge.index.pace import Pace

log = logging.getLogger(__name__)

ROUND_CHUNKS = 2048
"""Chunks looked up at a time."""
COMMIT_CHUNKS = 32
"""Vectors in the first commit, and in any that does not fill its time."""
COMMIT_SECONDS = 2.0
"""How long one may be worked on: what a kill costs, and what something newer waits for."""
LARGEST_COMMIT = 512
COMMITS_BEFORE_MAINTENANCE = 128
COMMITS_TO_CLEAN = 16
"""So many at the end are worth the maintenance."""
LOOK_SECONDS = 30.0
"""How often a pause is looked at."""
WORTH_SAYING = 120.0
"""Seconds of embedding that are announced."""
RETRY_SECONDS = 5.0
"""The wait after a failure, doubled by each further one in a row up to the longest."""
LONGEST_RETRY_SECONDS = 300.0
FAILURES_IN_A_ROW = 3
"""After so many, or one that time does not heal, somebody who waits for the end is told instead."""


class Backfill:
    """The only writer of the store's vectors. ``run`` works until it is cancelled.

    ``on_growth`` is told how many chunks have one, each time that this is looked up. ``pause`` says why nothing is to
    be embedded just now, if so. ``on_complete`` is told of the embedder each time that every chunk has its vector.
    """

    def __init__(
        self,
        store: ChunkStore,
        embeddings: EmbeddingService | None,
        clock: Clock,
        on_growth: Callable[[int], Awaitable[None]] | None = None,
        pause: Callable[[], str] = str,
        on_complete: Callable[[EmbedderInfo], Awaitable[None]] | None = None,
    ) -> None:
        self._store = store
        self._embeddings = embeddings
        self._clock = clock
        self._on_growth = on_growth
        self._pause = pause
        self._on_complete = on_complete
        self._pace = Pace()
        self._chunks = 0
        self._alone = asyncio.Event()
        self._alone.set()
        self._wake = asyncio.Event()
        self._wake.set()
        self._changed = asyncio.Event()
        self._failed: VaultbridgeError | OSError | None = None
        self._failures = 0
        self._working = False
        self.pending = 0
        """Chunks without a vector."""
        self.paused = ""
        """Why nothing is embedded just now, though there is something; empty if nothing keeps it."""
        self.embedded = 0
        """Texts embedded since the start: what a move or a restart must not raise."""

    @property
    def error(self) -> str:
        """Why vectors are not being made; empty if they are."""
        return str(self._failed) if self._failed is not None else ""

    @property
    def share(self) -> float:
        """How many of the chunks have a vector, 0 to 1."""
        return 1 - self.pending / max(self._chunks, self.pending, 1)

    @property
    def rate(self) -> float:
        """Texts embedded in a second, as of late; 0 before any is."""
        return self._pace.rate

    @property
    def seconds_left(self) -> float | None:
        """How long what is pending will take; None if nobody knows."""
        return self._pace.left(self.pending)

    def wake(self, written: int = 0) -> None:
        """There may be chunks without a vector, among them so many that were just written."""
        if self._embeddings is not None:
            self._chunks += written
            self.pending += written
        self._wake.set()

    @contextmanager
    def stepping_back(self) -> Iterator[None]:
        """Embed nothing while this is open: many notes are being read, and words can be found long before meanings."""
        self._alone.clear()
        try:
            yield
        finally:
            self._alone.set()

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
        await self._alone.wait()
        info = await embeddings.info()
        await self._store.fill_vectors(info.fingerprint, info.dimensions)
        commits = 0
        while chunks := await self._missing():
            at, newer = 0, False
            while at < len(chunks) and not newer:
                await self._allowed()
                batch = chunks[at : at + self._commit_size()]
                await self._embed(embeddings, batch)
                at, commits = at + len(batch), commits + 1
                if commits == 1 and (seconds := self.seconds_left or 0) > WORTH_SAYING:
                    log.info("%d passages are still to be embedded: about %s", self.pending, in_words(seconds))
                if commits % COMMITS_BEFORE_MAINTENANCE == 0:
                    await self._store.maintain()
                newer = self._wake.is_set()  # it goes first
        await self._store.use_vectors(info.fingerprint, info.dimensions)
        if self._on_complete is not None:
            await self._on_complete(info)
        if self._on_growth is not None:
            await self._on_growth(self._chunks)
        if commits % COMMITS_BEFORE_MAINTENANCE >= COMMITS_TO_CLEAN:
            await self._store.maintain()

    async def _missing(self) -> list[Chunk]:
        """The chunks that are to be embedded next."""
        self._wake.clear()
        chunks = await self._store.unembedded(ROUND_CHUNKS)
        counts = await self._store.counts()
        self._chunks = counts.chunks
        self.pending = max(counts.chunks - counts.vectors, len(chunks)) if chunks else 0
        self._signal()
        if self._on_growth is not None:
            await self._on_growth(counts.vectors)
        return chunks

    def _commit_size(self) -> int:
        return min(max(int(COMMIT_SECONDS * self._pace.rate), COMMIT_CHUNKS), LARGEST_COMMIT)

    async def _allowed(self) -> None:
        await self._alone.wait()
        while reason := self._pause():
            self.paused = reason
            self._signal()
            await self._clock.sleep(LOOK_SECONDS)
        self.paused = ""

    async def _embed(self, embeddings: EmbeddingService, chunks: Sequence[Chunk]) -> None:
        began = self._clock.monotonic()
        vectors = await embeddings.embed([chunk.embedded for chunk in chunks], "document")
        await self._store.put_vectors({chunk.digest: vector for chunk, vector in zip(chunks, vectors, strict=True)})
        self._pace.tell(len(chunks), self._clock.monotonic() - began)
        self.embedded += len(chunks)
        self.pending = max(0, self.pending - len(chunks))
        self._signal()

    def _signal(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
