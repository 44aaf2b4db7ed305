"""The index on LanceDB: chunks with BM25 over them, receipts, and one vector table for each embedder."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import lancedb
from lancedb.expr import col
from lancedb.query import MatchQuery

from vaultbridge.backends.lance_memory import Bounds
from vaultbridge.backends.lance_outline import Outline, Reach
from vaultbridge.backends.lance_tables import (
    CHUNK_COLUMNS,
    CHUNK_INDICES,
    CHUNKS,
    NOTES,
    chunk_row,
    guarded,
    merge,
    note_row,
    open_table,
    read,
    row_chunk,
    row_note,
    table_names,
)
from vaultbridge.backends.lance_vectors import PREFIX, VectorTable
from vaultbridge.backends.words import Words
from vaultbridge.core.errors import StoreMismatch
from vaultbridge.core.notes import Chunk, IndexedNote, NotePath, NoteUpdate
from vaultbridge.core.search import Embedding, Scope, Scored, StoreCounts, Vector

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

    def __init__(self, db: Any, notes: Any, chunks: Any, bounds: Bounds) -> None:
        self._db = db
        self._notes = notes
        self._chunks = chunks
        self._bounds = bounds
        self._words = Words()
        self._vectors: VectorTable | None = None
        # Kept up to date by the writes, which all go through here; None before the first use and after a failed write.
        self._outline: Outline | None = None
        self._looking = asyncio.Lock()
        # Readers need no lock, LanceDB's versions are theirs; a clean-up must not overlap with a write.
        self._writing = asyncio.Lock()

    @classmethod
    async def open(cls, uri: str, bounds: Bounds | None = None) -> LanceStore:
        """Open or create the index at ``uri``: a folder, or ``s3://…``, ``gs://…``, ``az://…``, ``db://…``.

        ``bounds`` are what its vectors may take in memory. Raises StoreMismatch if it cannot be read or has another
        version, DiskFull.
        """
        session = lancedb.Session(
            index_cache_size_bytes=INDEX_CACHE_BYTES, metadata_cache_size_bytes=METADATA_CACHE_BYTES
        )
        with guarded():
            db = await lancedb.connect_async(_absolute(uri), session=session)
            chunks = await open_table(db, "chunks", CHUNKS, CHUNK_INDICES)
            notes = await open_table(db, "notes", NOTES, {})
        return cls(db, notes, chunks, bounds or Bounds())

    async def use_vectors(self, fingerprint: str, dimensions: int) -> None:
        """Serve and fill the vectors of this fingerprint from now on.

        Raises StoreMismatch if the index holds other dimensions under it.
        """
        if self._serves(fingerprint, dimensions):  # asked before every question: no waiting for a writer
            return
        async with self._writing:
            if not self._serves(fingerprint, dimensions):
                with guarded():
                    self._vectors = await VectorTable.open(self._db, fingerprint, dimensions, self._bounds)

    async def vector_tables(self) -> dict[str, int]:
        """How many vectors are stored, by fingerprint; some may belong to embedders of the past."""
        return {table.fingerprint: await table.table.count_rows() for table in await self._vector_tables()}

    # --- reading --------------------------------------------------------------------------------------------------

    async def notes(self) -> list[IndexedNote]:
        """Every note's receipt, sorted by path (code points)."""
        return sorted(map(row_note, await read(self._notes.query())), key=lambda note: note.state.path)

    async def paths(self) -> Set[NotePath]:
        """Every note's path."""
        return (await self._look()).receipts.keys()

    async def note(self, path: NotePath) -> IndexedNote | None:
        """One note's receipt."""
        rows = await read(self._notes.query().where(col("path") == path))
        return row_note(rows[0]) if rows else None

    async def chunks(self, path: NotePath) -> list[Chunk]:
        """One note's chunks in their order."""
        outline = await self._look()
        if outline.rows is not None:
            return outline.rows.at([(path, place) for place in range(len(outline.digests.get(path, ())))])
        rows = await read(self._chunks.query().where(col("note") == path).select(CHUNK_COLUMNS))
        return sorted(map(row_chunk, rows), key=lambda chunk: chunk.ordinal)

    async def keyword(self, text: str, scope: Scope, limit: int) -> list[Scored]:
        """The chunks that share words with ``text``, by BM25, best first; nothing in it is query syntax."""
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
        if self._vectors is None or limit < 1:
            return []
        reach = (await self._look()).reach(scope)
        return await self._hits(await self._vectors.nearest(vector, reach, limit), reach, limit)

    async def sparse(self, weights: Mapping[int, float], scope: Scope, limit: int) -> list[Scored]:
        """The chunks whose learned sparse vectors have the greatest product with ``weights``, above 0, best first."""
        if self._vectors is None or limit < 1:
            return []
        reach = (await self._look()).reach(scope)
        return await self._hits(await self._vectors.heaviest(weights, reach, limit), reach, limit)

    async def vectors(self, digests: Sequence[str]) -> dict[str, Vector]:
        """The stored vectors among ``digests``, ``(dimensions,)`` float32 each, as precise as float16."""
        return await self._vectors.get(set(digests)) if self._vectors is not None else {}

    async def multi(self, digests: Sequence[str]) -> dict[str, Vector]:
        """The stored multi-vectors among ``digests``, ``(tokens, dimensions)`` float32 each, a byte a number."""
        return await self._vectors.multi(set(digests)) if self._vectors is not None and digests else {}

    async def linked(self, paths: Sequence[NotePath]) -> dict[NotePath, tuple[NotePath, ...]]:
        """The notes that each of ``paths`` links to, then those that link to it, resolved as Obsidian does."""
        graph = (await self._look()).graph
        return {path: graph.neighbours(path) for path in paths}

    async def unembedded(self, limit: int) -> list[Chunk]:
        """Chunks that have no vector yet, one for each digest, of the newest notes first."""
        if self._vectors is None:
            return []
        known, outline = await self._vectors.digests(), await self._look()
        wanted = outline.newest(outline.without(known))[: max(limit, 0)]
        chunks = dict(await self._with_digests(outline, wanted))
        return [chunks[digest] for digest in wanted if digest in chunks]

    async def counts(self) -> StoreCounts:
        """How much is stored."""
        known = await self._vectors.digests() if self._vectors is not None else frozenset[str]()
        outline = await self._look()
        chunks = sum(map(len, outline.digests.values()))
        return StoreCounts(
            notes=len(outline.receipts),
            unreadable=sum(receipt.unreadable for receipt in outline.receipts.values()),
            chunks=chunks,
            vectors=chunks - outline.chunks_of(outline.without(known)),
        )

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
                # Receipts last: if the process dies between the two commits, the old receipts still differ from the
                # disk, and the next diff writes these notes again.
                if stale := rewritten.keys() | gone:
                    await merge(self._chunks, "key", rows, col("note").isin(sorted(stale)))
                if receipts or gone:
                    await merge(self._notes, "path", receipts, col("path").isin(sorted(gone)))
            self._outline = await asyncio.to_thread(before.after, list(latest.values()), gone)

        async with self._writing:
            await _whole(commit())

    async def put_vectors(self, vectors: Mapping[str, Embedding]) -> None:
        """Add vectors by digest; present ones are left alone. Raises DiskFull, StoreMismatch before ``use_vectors``."""
        if self._vectors is None:
            raise StoreMismatch("The index was opened without an embedder and takes no vectors.")
        async with self._writing:
            with guarded():
                await _whole(self._vectors.add(vectors))

    async def maintain(self) -> None:
        """Compact the files, drop old versions and vectors that no chunk uses, those of past embedders too."""
        spaces = await self._vector_tables()
        async with self._writing:
            used = (await self._look()).owners.keys()
            with guarded():
                for space in spaces:
                    await space.keep(used)
        # The lock is taken for each table anew, so that a save waits for one of them at the most.
        for table in (self._chunks, self._notes, *(space.table for space in spaces)):
            async with self._writing:
                with guarded():
                    await table.optimize(cleanup_older_than=KEEP_VERSIONS)

    async def close(self) -> None:
        """Let go of the files."""
        if self._vectors is not None:
            self._vectors.close()
        self._chunks.close()
        self._notes.close()
        self._db.close()

    # --- helpers --------------------------------------------------------------------------------------------------

    def _serves(self, fingerprint: str, dimensions: int) -> bool:
        space = self._vectors
        return space is not None and (space.fingerprint, space.dimensions) == (fingerprint, dimensions)

    async def _look(self) -> Outline:
        if (outline := self._outline) is not None:
            return outline
        async with self._looking:
            if self._outline is None:
                self._outline = await Outline.read(self._notes, self._chunks, self._bounds.chunks)
            return self._outline

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
            {**chunk_row(chunk), "words": self._words.of_chunk(chunk, update.note)}
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

    async def _vector_tables(self) -> list[VectorTable]:
        names = [name for name in await table_names(self._db) if name.startswith(PREFIX)]
        current = self._vectors
        return [
            current
            if current is not None and current.name == name
            else await VectorTable.named(self._db, name, self._bounds)
            for name in names
        ]


def _best(hits: list[Scored], limit: int) -> list[Scored]:
    return sorted(hits, key=lambda hit: (-hit.score, hit.chunk.note, hit.chunk.ordinal))[:limit]


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
