"""The index on LanceDB: chunks with BM25 over them, receipts, and one vector table for each embedder."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterator, Mapping, Sequence, Set
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from vaultbridge.backends.lance_backlog import Backlog
from vaultbridge.backends.lance_library import MatchQuery, col, lancedb, share_memory
from vaultbridge.backends.lance_memory import Bounds
from vaultbridge.backends.lance_mending import discard, set_damaged_aside
from vaultbridge.backends.lance_outline import Outline, Reach
from vaultbridge.backends.lance_purge import rewrite
from vaultbridge.backends.lance_rows import is_found, stored_rows
from vaultbridge.backends.lance_spaces import VectorSpaces
from vaultbridge.backends.lance_tables import (
    CHUNK_COLUMNS,
    CHUNK_INDICES,
    CHUNKS,
    NOTES,
    append,
    chunk_row,
    guarded,
    merge,
    note_row,
    open_table,
    read,
    row_chunk,
    row_note,
    source_of,
)
from vaultbridge.backends.lance_vectors import VECTOR_INDICES, VectorTable
from vaultbridge.backends.words import Words
from vaultbridge.core.errors import StoreDamaged, StoreMismatch
from vaultbridge.core.notes import Chunk, FileState, IndexedNote, NotePath, NoteUpdate, Row
from vaultbridge.core.search import Embedding, Scope, Scored, Storage, StoreCounts, Vector

log = logging.getLogger(__name__)
T = TypeVar("T")

# LanceDB's defaults are 6 GiB and 1 GiB, too much beside a language model on a desktop.
INDEX_CACHE_BYTES = 256 << 20
METADATA_CACHE_BYTES = 64 << 20
KEEP_VERSIONS = timedelta(minutes=5)
"""How long a reader may hold on to an old version."""


class LanceStore:
    """A ChunkStore in one folder, or in a bucket: only the ``uri`` differs.

    Keyword search works from the start; the dense lane from ``use_vectors`` on, since which embedder it is becomes
    known only when its process has loaded.
    """

    def __init__(self, uri: str, bounds: Bounds) -> None:
        self._uri = uri
        self._bounds = bounds
        self._db: Any = None
        self._notes: Any = None
        self._chunks: Any = None
        self._set_aside: tuple[str, ...] = ()
        self._words = Words()
        self._spaces = VectorSpaces(None, bounds)
        # Kept up to date by the writes, which all go through here; None before the first use and after a failed write.
        self._outline: Outline | None = None
        self._backlog: Backlog | None = None
        # How often something was written, and what lay on the disk after so many: the status is asked all the time.
        self._writes = 0
        self._weighed: tuple[int, Storage] | None = None
        self._holds_deleted = False
        self._looking = asyncio.Lock()
        # Readers need no lock, LanceDB's versions are theirs; a clean-up must not overlap with a write.
        self._writing = asyncio.Lock()
        # One clean-up at a time: a second one would hold tables in versions that the first has left behind.
        self._tidying = asyncio.Lock()

    @classmethod
    async def open(cls, uri: str, bounds: Bounds | None = None) -> LanceStore:
        """Open or create the index at ``uri``: a folder, or ``s3://…``, ``gs://…``, ``az://…``, ``db://…``.

        ``bounds`` are what its vectors may take in memory. A table that cannot be read is set aside. Raises
        StoreMismatch if the index has another version, DiskFull.
        """
        share_memory()
        store = cls(_absolute(uri), bounds or Bounds())
        try:
            await store._connect()
        except StoreDamaged:
            await store.mend()
        return store

    async def _connect(self) -> None:
        session = lancedb.Session(
            index_cache_size_bytes=INDEX_CACHE_BYTES, metadata_cache_size_bytes=METADATA_CACHE_BYTES
        )
        with guarded():
            self._db = await lancedb.connect_async(self._uri, session=session)
            self._spaces = VectorSpaces(self._db, self._bounds)
            self._chunks = await open_table(self._db, "chunks", CHUNKS, CHUNK_INDICES)
            self._notes = await open_table(self._db, "notes", NOTES, {})
        self._outline = await Outline.read(self._notes, self._chunks, self._bounds.chunks)

    async def use_vectors(self, fingerprint: str, dimensions: int) -> None:
        """Serve and fill the vectors of this fingerprint from now on.

        Raises StoreMismatch if the index holds other dimensions under it.
        """
        space = await self._opened(fingerprint, dimensions)
        self._spaces.fill(space)
        self._spaces.serve(space)

    async def fill_vectors(self, fingerprint: str, dimensions: int) -> None:
        """Fill this space from now on; questions go on in the one that is served, if there is one."""
        space = await self._opened(fingerprint, dimensions)  # the spaces may be others by then
        self._spaces.fill(space)

    async def serve_vectors(self, fingerprint: str, dimensions: int) -> None:
        """Answer questions in this space from now on, whichever one is filled."""
        space = await self._opened(fingerprint, dimensions)
        self._spaces.serve(space)

    async def vector_tables(self) -> dict[str, int]:
        """How many vectors are stored, by fingerprint; some may belong to embedders of the past."""
        return {space.fingerprint: await space.table.count_rows() for space in await self._spaces.all()}

    # --- reading --------------------------------------------------------------------------------------------------

    async def notes(self) -> list[IndexedNote]:
        """Every note's receipt, sorted by path (code points); without a hash where the rows are not its own."""
        outline = await self._look()
        known = outline.known if outline.known is not None else map(row_note, await read(self._notes.query()))
        notes = {note.state.path: note for note in known}
        for path in outline.unsound:
            notes[path] = replace(notes.get(path) or _bare(path), state=FileState(path, 0, 0, ""))
        return [notes[path] for path in sorted(notes)]

    async def names(self) -> Mapping[str, Sequence[NotePath]]:
        """The notes by their folded names, but for those that are left out."""
        return (await self._look()).graph.names

    async def receipts(self, paths: Collection[NotePath]) -> dict[NotePath, IndexedNote]:
        """The receipts of some notes; one that is left out has none."""
        if not (shown := (await self._look()).receipts.keys() & paths):
            return {}
        rows = await read(self._notes.query().where(col("path").isin(sorted(shown))))
        return {note.state.path: note for note in map(row_note, rows)}

    async def chunks(self, path: NotePath) -> list[Chunk]:
        """One note's chunks in their order."""
        outline = await self._look()
        if outline.rows is not None:
            return outline.rows.at([(path, place) for place in range(len(outline.digests.get(path, ())))])
        rows = await read(self._chunks.query().where(col("note") == path).select(CHUNK_COLUMNS))
        return sorted(map(row_chunk, rows), key=lambda chunk: chunk.ordinal)

    async def keyword(self, text: str, scope: Scope, limit: int) -> list[Scored]:
        """The chunks that share words with ``text``, by BM25, best first; nothing in it is query syntax.

        Files that are damaged, as those of the text index may be, are made anew.
        """
        return await self._mended(lambda: self._keyword(text, scope, limit))

    async def _keyword(self, text: str, scope: Scope, limit: int) -> list[Scored]:
        text = text.encode(errors="replace").decode()  # JSON can smuggle in half a surrogate pair
        if limit < 1 or not text.strip():
            return []
        outline = await self._look()
        query = self._chunks.query().nearest_to_text(MatchQuery(self._words.of_question(text), "words")).limit(limit)
        if scope != Scope():
            reach = outline.reach(scope)
            if not reach.inverted:
                query = query.where(col("note").isin(sorted(reach.notes)))
            elif reach.notes:
                query = query.where(~col("note").isin(sorted(reach.notes)))
        if outline.rows is not None:
            rows = await read(query.select(["note", "ordinal", "digest", "_score"]))
            if all(outline.has(row["note"], row["ordinal"], row["digest"]) for row in rows):
                chunks = outline.rows.at([(row["note"], row["ordinal"]) for row in rows])
                return _best([Scored(chunk, row["_score"]) for chunk, row in zip(chunks, rows, strict=True)], limit)
        # Too many to be in memory, or one was written just now.
        rows = await read(query.select([*CHUNK_COLUMNS, "_score"]))
        return _best([Scored(row_chunk(row), row["_score"]) for row in rows], limit)

    async def dense(self, vector: Vector, scope: Scope, limit: int) -> list[Scored]:
        """The chunks nearest to ``vector`` by cosine, best first; those without a vector are not seen.

        Every vector is compared, so none is missed; scores are as precise as float16 (about 1e-4).
        """
        if (space := self._spaces.asked) is None or limit < 1:
            return []
        reach = (await self._look()).reach(scope)
        return await self._hits(await space.nearest(vector, reach, limit), reach, limit)

    async def sparse(self, weights: Mapping[int, float], scope: Scope, limit: int) -> list[Scored]:
        """The chunks whose learned sparse vectors have the greatest product with ``weights``, above 0, best first."""
        if (space := self._spaces.asked) is None or limit < 1:
            return []
        reach = (await self._look()).reach(scope)
        return await self._hits(await space.heaviest(weights, reach, limit), reach, limit)

    async def vectors(self, digests: Sequence[str]) -> dict[str, Vector]:
        """The stored vectors among ``digests``, ``(dimensions,)`` float32 each, as precise as float16."""
        space = self._spaces.asked
        return await space.get(set(digests)) if space is not None else {}

    async def multi(self, digests: Sequence[str]) -> dict[str, Vector]:
        """The stored multi-vectors among ``digests``, ``(tokens, dimensions)`` float32 each, a byte a number."""
        space = self._spaces.asked
        return await space.multi(set(digests)) if space is not None and digests else {}

    async def linked(self, paths: Sequence[NotePath]) -> dict[NotePath, tuple[NotePath, ...]]:
        """The notes that each of ``paths`` links to, then those that link to it, resolved as Obsidian does."""
        graph = (await self._look()).graph
        return {path: graph.neighbours(path) for path in paths}

    async def unembedded(self, limit: int) -> list[Chunk]:
        """Chunks that have no vector yet, one for each digest, of the newest and the most linked notes first."""
        if self._spaces.filled is None:
            return []
        outline = await self._look()
        backlog = await self._behind(outline)
        wanted = await asyncio.to_thread(backlog.foremost, limit)
        chunks = dict(await self._with_digests(outline, wanted))
        return [chunks[digest] for digest in wanted if digest in chunks]

    async def counts(self) -> StoreCounts:
        """How much is stored."""
        return (await self._behind(await self._look())).counts

    async def storage(self) -> Storage:
        """What it takes on the disk: of a bucket the rows alone, of a folder every file."""
        writes = self._writes
        if self._weighed is not None and self._weighed[0] == writes:
            return self._weighed[1]
        space = self._spaces.filled
        tables = [self._chunks, self._notes, *([space.table] if space is not None else [])]
        with guarded():
            stats = [await table.stats() for table in tables]
        size = sum(one["total_bytes"] for one in stats)
        if "://" not in self._uri:
            size = await asyncio.to_thread(_size, Path(self._uri))
        storage = Storage(size, sum(one["fragment_stats"]["num_fragments"] for one in stats))
        self._weighed = writes, storage
        return storage

    async def rows(self) -> list[Row]:
        """Every chunk's row, sorted by note and ordinal, read anew from the disk; what was in memory is forgotten."""
        async with self._alone():
            self._outline = None
            embedded: Set[str] = frozenset()
            if (space := self._spaces.filled) is not None:
                space.forget()
                embedded = await space.digests()
            return await stored_rows(self._chunks, embedded)

    async def unfound(self, notes: Sequence[NotePath]) -> list[NotePath]:
        """Those of ``notes`` with a chunk that the keyword lane does not find by its own words."""
        return [note for note in notes if not await self._mended(partial(self._is_found, note))]

    # --- writing --------------------------------------------------------------------------------------------------

    async def replace(self, updates: Sequence[NoteUpdate], removed: Sequence[NotePath] = ()) -> None:
        """Write a batch of notes, chunks in one commit and receipts after it. Raises DiskFull."""
        latest = {update.note.state.path: update for update in updates}
        rewritten = {path: update for path, update in latest.items() if update.chunks is not None}
        gone = {*removed, *(update.origin for update in updates if update.origin is not None)} - latest.keys()
        rows = await asyncio.to_thread(self._rows, list(rewritten.values()))
        receipts = [note_row(update.note) for update in latest.values()]

        async def commit() -> None:
            before = await self._look()
            with self._or_look_anew(), guarded():
                # Rows that are surely new are appended: there is nothing to look for.
                # Receipts last: if the process dies between the two commits, the old receipts still differ from the
                # disk, and the next diff writes these notes again.
                stale = rewritten.keys() | gone
                if stale & before.digests.keys():
                    await merge(self._chunks, "key", rows, col("note").isin(sorted(stale)))
                elif rows:
                    await append(self._chunks, rows)
                if (latest.keys() | gone) & (before.receipts.keys() | before.left_out):
                    await merge(self._notes, "path", receipts, col("path").isin(sorted(gone)))
                elif receipts:
                    await append(self._notes, receipts)
            self._outline = await asyncio.to_thread(before.after, list(latest.values()), gone)
            self._holds_deleted = self._holds_deleted or not before.digests.keys().isdisjoint(removed)

        async with self._alone():
            await _whole(commit())

    async def put_vectors(self, vectors: Mapping[str, Embedding]) -> None:
        """Add vectors by digest; present ones are left alone. Raises DiskFull, StoreMismatch before ``use_vectors``."""
        async with self._alone():
            if (space := self._spaces.filled) is None:
                raise StoreMismatch("The index was opened without an embedder and takes no vectors.")
            with guarded():
                await _whole(space.add(vectors))

    async def maintain(self) -> None:
        """Compact the files, drop old versions and vectors that no chunk uses, those of past embedders too.

        If notes were deleted since the last time, the disk is purged of them. Files that are damaged are made anew.
        """
        log.debug("maintenance of the index begins")
        async with self._tidying:
            await self._mended(self._maintain)
        log.debug("maintenance of the index has ended")

    async def _maintain(self) -> None:
        if self._holds_deleted:
            await self._purge()
            return
        spaces = await self._without_orphans()
        # The lock is taken for each table anew, so that a save waits for one of them at the most.
        for table in (self._chunks, self._notes, *(space.table for space in spaces)):
            async with self._alone():
                with guarded():
                    await table.optimize(cleanup_older_than=KEEP_VERSIONS)

    async def purge(self) -> None:
        """Take off the disk what was deleted: text, words and vectors, in every version, and tables set aside."""
        async with self._tidying:
            await self._purge()

    async def _purge(self) -> None:
        self._holds_deleted = False  # now, since more may be deleted meanwhile
        try:
            tables = [(self._chunks, CHUNK_INDICES), (self._notes, {})]
            tables += [(space.table, VECTOR_INDICES) for space in await self._without_orphans()]
            for table, indices in tables:
                async with self._alone(), self._looking:
                    with guarded():
                        await _whole(rewrite(table, indices))
            await discard(self._uri)
        except BaseException:
            self._holds_deleted = True
            raise

    @property
    def damage(self) -> str:
        """What could not be read since the index was opened, and where it is now."""
        return "; ".join(self._set_aside)

    async def mend(self) -> None:
        """Set aside every table that cannot be read, and begin it anew; make the indices of the others anew."""
        async with self._alone():
            await self._mend()

    async def close(self) -> None:
        """Let go of the files."""
        for opened in (self._spaces, self._chunks, self._notes, self._db):
            if opened is not None:
                opened.close()

    # --- helpers --------------------------------------------------------------------------------------------------

    async def _mended(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it, once more if files had to be made anew for it."""
        table = self._chunks
        try:
            return await work()
        except StoreDamaged as error:
            async with self._alone():
                if self._chunks is table:  # otherwise somebody else has mended it meanwhile
                    log.warning("files of the index are made anew: %s", error.message)
                    await self._mend()
            return await work()

    async def _is_found(self, note: NotePath) -> bool:
        return await is_found(self._chunks, note)

    async def _mend(self) -> None:
        space = self._spaces.filled
        await self.close()
        self._set_aside += await set_damaged_aside(self._uri)
        await self._connect()
        if space is not None:  # which one is served the next question says
            self._spaces.fill(await self._spaces.open(space.fingerprint, space.dimensions))

    async def _opened(self, fingerprint: str, dimensions: int) -> VectorTable:
        if (space := self._spaces.there(fingerprint, dimensions)) is not None:
            return space  # asked before every question: no waiting for a writer
        async with self._alone():
            try:
                return await self._spaces.open(fingerprint, dimensions)
            except StoreDamaged:
                await self._mend()
                return await self._spaces.open(fingerprint, dimensions)

    async def _look(self) -> Outline:
        if (outline := self._outline) is not None:
            return outline
        async with self._looking:
            if self._outline is None:
                self._outline = await Outline.read(self._notes, self._chunks, self._bounds.chunks)
            return self._outline

    async def _behind(self, outline: Outline) -> Backlog:
        space = self._spaces.filled
        have = await space.made() if space is not None else ()
        backlog = self._backlog
        if backlog is None or not backlog.is_of(outline, have):
            self._backlog = backlog = await asyncio.to_thread(Backlog, outline, have)
        return backlog

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Nothing else writes while this is open."""
        async with self._writing:
            try:
                yield
            finally:
                self._writes += 1

    @contextmanager
    def _or_look_anew(self) -> Iterator[None]:
        """After a write that failed, nobody knows what is stored."""
        try:
            yield
        except BaseException:
            self._outline = None
            raise

    def _rows(self, updates: Sequence[NoteUpdate]) -> list[dict[str, Any]]:
        return [
            {
                **chunk_row(chunk),
                "words": self._words.of_chunk(chunk, update.note),
                "source": source_of(update.note.state),
            }
            for update in updates
            for chunk in update.chunks or ()
        ]

    async def _hits(self, found: Mapping[str, float], reach: Reach, limit: int) -> list[Scored]:
        chunks = await self._with_digests(reach.outline, found)
        return _best([Scored(chunk, found[digest]) for digest, chunk in chunks if reach.admits(chunk.note)], limit)

    async def _with_digests(
        self, outline: Outline, digests: Sequence[str] | Mapping[str, float]
    ) -> list[tuple[str, Chunk]]:
        if not digests:
            return []
        if outline.rows is not None:
            return outline.with_digests(digests)
        query = self._chunks.query().where(col("digest").isin(list(digests)))
        return [(row["digest"], row_chunk(row)) for row in await read(query.select([*CHUNK_COLUMNS, "digest"]))]

    async def _without_orphans(self) -> list[VectorTable]:
        """Every table of vectors, those that no chunk uses deleted."""
        spaces = await self._spaces.all()
        async with self._alone():
            used = (await self._look()).owners.keys()
            with guarded():
                for space in spaces:
                    await space.keep(used)
        return spaces


def _bare(path: NotePath) -> IndexedNote:
    return IndexedNote(FileState(path, 0, 0, ""), path)


def _best(hits: list[Scored], limit: int) -> list[Scored]:
    return sorted(hits, key=lambda hit: (-hit.score, hit.chunk.note, hit.chunk.ordinal))[:limit]


def _size(folder: Path) -> int:
    """Bytes of everything below a folder; files may come and go meanwhile."""
    size = 0
    for place, _, files in os.walk(folder):
        for name in files:
            with suppress(FileNotFoundError):
                size += (Path(place) / name).stat().st_size
    return size


def _absolute(uri: str) -> str:
    # LanceDB takes a relative folder whose name starts with "db" for its cloud.
    return uri if "://" in uri else str(Path(uri).expanduser().resolve())


async def _whole(write: Coroutine[Any, Any, None]) -> None:
    """Finish a write that has begun: LanceDB goes on behind a cancelled call, and the next write would meet it."""
    task = asyncio.ensure_future(write)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
