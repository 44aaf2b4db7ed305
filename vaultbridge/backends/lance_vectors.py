"""One vector space: the table that keeps an embedder's vectors by the digest of what was embedded."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa

from vaultbridge.backends.lance_library import BTree, col
from vaultbridge.backends.lance_memory import Bounds, Seen, VectorMemory
from vaultbridge.backends.lance_tables import REBUILD, VERSION, VERSION_KEY, columns, latest, open_table, read
from vaultbridge.backends.multi_vectors import packed, unpacked
from vaultbridge.core.errors import StoreMismatch
from vaultbridge.core.search import Embedding, Vector

PREFIX = "vectors_"
FINGERPRINT_KEY = "vaultbridge.fingerprint"
PREFILTER = 1_000
"""Up to this many digests are handed to LanceDB as a filter; a longer list costs more than the scan that it saves."""
GENEROSITY = 4
"""How many times the wanted vectors are fetched at first, since orphans and vectors out of scope are among them."""
SLICE = 5_000
VECTOR_INDICES: Mapping[str, BTree] = {"digest": BTree()}
BATCH_ROWS = 4_096


def table_name(fingerprint: str) -> str:
    """The table's: a fingerprint may hold anything; table names may not, and some file systems fold case."""
    return PREFIX + hashlib.sha256(fingerprint.encode()).hexdigest()[:16]


class VectorTable:
    """The vectors of one fingerprint: dense as float16, exact cosine; sparse as two lists, exact products; multi
    packed.

    Questions are answered from memory as far as the ``bounds`` let it, by a scan beyond. There is no vector index.
    """

    def __init__(self, table: Any, schema: Any, bounds: Bounds) -> None:
        self.name: str = table.name
        self.fingerprint: str = schema.metadata[FINGERPRINT_KEY.encode()].decode()
        self.dimensions: int = schema.field("vector").type.list_size
        self.table = table
        self._schema = schema
        self._bounds = bounds
        # Kept up to date by the writes, which all go through here; None before the first use and after a failed write.
        self._memory: VectorMemory | None = None
        self._reading = asyncio.Lock()

    @classmethod
    async def open(cls, db: Any, fingerprint: str, dimensions: int, bounds: Bounds) -> VectorTable:
        """Open or create the table of ``fingerprint``."""
        schema = pa.schema(
            [
                pa.field("digest", pa.string(), nullable=False),
                pa.field("vector", pa.list_(pa.float16(), dimensions), nullable=False),
                pa.field("ids", pa.list_(pa.int32())),
                pa.field("weights", pa.list_(pa.float32())),
                pa.field("multi", pa.list_(pa.binary())),
            ],
            metadata={VERSION_KEY: VERSION, FINGERPRINT_KEY: fingerprint},
        )
        table = await open_table(db, table_name(fingerprint), schema, VECTOR_INDICES)
        return cls(table, await table.schema(), bounds)

    @classmethod
    async def named(cls, db: Any, name: str, bounds: Bounds) -> VectorTable:
        """Open a table that is known to exist."""
        table = await open_table(db, name, None, VECTOR_INDICES)
        return cls(table, await table.schema(), bounds)

    def check(self, dimensions: int) -> None:
        """Raise StoreMismatch if these are not as many as its vectors have."""
        if self.dimensions != dimensions:
            raise StoreMismatch(
                f"The index holds vectors of {self.dimensions} dimensions, the embedder makes {dimensions}.", REBUILD
            )

    async def digests(self) -> Set[str]:
        """Everything that has a vector here."""
        return (await self._current()).rows.keys()

    async def made(self) -> Sequence[str]:
        """The same in their order; those that are made are appended, unless the list is another one by then."""
        return (await self._current()).digests

    async def nearest(self, vector: Vector, seen: Seen, limit: int) -> dict[str, float]:
        """The ``limit`` digests that are ``seen`` nearest to ``vector``, each with its cosine, best first."""
        memory = await self._current()
        if memory.matrix is None:
            return await self._scan(vector, seen, limit)
        # In a thread, since it takes a while: rows that come or go meanwhile do not disturb it.
        cosines = await asyncio.to_thread(memory.matrix.cosines, vector, len(memory.matrix))
        return memory.best(cosines, seen, limit)

    async def heaviest(self, weights: Mapping[int, float], seen: Seen, limit: int) -> dict[str, float]:
        """The ``limit`` digests that are ``seen`` with the greatest products with ``weights``, above 0, best first."""
        memory = await self._current()
        if memory.postings is None:
            found = await latest(lambda: self._scan_sparse(weights, seen, limit))
        else:
            found = memory.best(memory.postings.scores(weights, memory.size), seen, limit)
        return {digest: product for digest, product in found.items() if product > 0}

    async def get(self, digests: Set[str]) -> dict[str, Vector]:
        """The vectors among ``digests``, ``(dimensions,)`` float32 each."""
        memory = await self._current()
        wanted = sorted(digests & memory.rows.keys())
        if memory.matrix is not None:
            return {digest: memory.matrix.row(memory.rows[digest]) for digest in wanted}
        if not wanted:
            return {}
        rows = await read(self.table.query().where(col("digest").isin(wanted)).select(["digest", "vector"]))
        return {row["digest"]: np.asarray(row["vector"], dtype=np.float32) for row in rows}

    async def multi(self, digests: Set[str]) -> dict[str, Vector]:
        """The multi-vectors among ``digests``, ``(tokens, dimensions)`` float32 each."""
        rows = await read(self.table.query().where(col("digest").isin(sorted(digests))).select(["digest", "multi"]))
        return {row["digest"]: unpacked(row["multi"]) for row in rows if row["multi"]}

    async def add(self, vectors: Mapping[str, Embedding]) -> None:
        """Append the vectors that are not here yet."""
        memory = await self._current()
        fresh = {digest: vector for digest, vector in vectors.items() if digest not in memory.rows}
        if not fresh:
            return
        with self._or_read_anew():
            await self.table.add(self._rows(fresh))
            memory.add(fresh)

    async def keep(self, used: Set[str]) -> None:
        """Delete every vector whose digest is not ``used``."""
        async with self._reading:
            memory = self._memory
            if memory is not None:
                orphans = sorted(memory.rows.keys() - used)
            else:  # of a past embedder, as a rule: not worth the memory
                orphans = sorted({digest for (digest,) in await columns(self.table.query(), "digest")} - used)
            with self._or_read_anew():
                for at in range(0, len(orphans), SLICE):
                    await self.table.delete(col("digest").isin(orphans[at : at + SLICE]))
            if memory is not None:
                memory.drop(orphans)
                if memory.hollow:
                    self._memory = None

    def forget(self) -> None:
        """Let go of what is in memory: it is read from the disk again."""
        self._memory = None

    def close(self) -> None:
        """Let go of the files."""
        self.table.close()

    async def _current(self) -> VectorMemory:
        if (memory := self._memory) is not None:
            return memory
        async with self._reading:
            if self._memory is None:
                self._memory = await latest(self._read)
            return self._memory

    async def _read(self) -> VectorMemory:
        memory = VectorMemory(self.dimensions, self._bounds)
        async for batch in await self._batches():
            await asyncio.to_thread(memory.read, batch)
        return memory

    @contextmanager
    def _or_read_anew(self) -> Iterator[None]:
        """After a write that failed, nobody knows what is stored."""
        try:
            yield
        except BaseException:
            self._memory = None
            raise

    async def _batches(self) -> Any:
        query = self.table.query().select(["digest", "vector", "ids", "weights"])
        return await query.to_batches(max_batch_length=BATCH_ROWS)

    async def _scan(self, vector: Vector, seen: Seen, limit: int) -> dict[str, float]:
        few = seen.few()
        fetch = limit * GENEROSITY
        while True:
            query = self.table.query().nearest_to(vector).distance_type("cosine").bypass_vector_index()
            query = query.select(["digest", "_distance"]).limit(fetch)
            if few is not None and len(few) <= PREFILTER:
                query = query.where(col("digest").isin(sorted(few)))
            rows = await read(query)
            found = [(row["digest"], 1.0 - row["_distance"]) for row in rows if seen.shows(row["digest"])]
            if len(found) >= limit or len(rows) < fetch:
                return dict(found[:limit])
            fetch *= 2 * GENEROSITY

    async def _scan_sparse(self, weights: Mapping[int, float], seen: Seen, limit: int) -> dict[str, float]:
        found: dict[str, float] = {}
        async for batch in await self._batches():
            part = VectorMemory(self.dimensions, Bounds())
            await asyncio.to_thread(part.read, batch)
            assert part.postings is not None
            found |= part.best(part.postings.scores(weights, part.size), seen, limit)
            found = dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:limit])
        return found

    def _rows(self, vectors: Mapping[str, Embedding]) -> Any:
        dense = np.stack([vector.dense for vector in vectors.values()])
        if dense.shape[1] != self.dimensions:
            raise StoreMismatch(
                f"A vector of {dense.shape[1]} dimensions cannot stand beside {self.dimensions}.", REBUILD
            )
        sparse = [vector.sparse for vector in vectors.values()]
        multi = [vector.multi for vector in vectors.values()]
        values = pa.array(dense.astype(np.float16).ravel())
        columns = [
            pa.array(list(vectors), pa.string()),
            pa.FixedSizeListArray.from_arrays(values, self.dimensions),
            pa.array([None if head is None else list(head.keys()) for head in sparse], pa.list_(pa.int32())),
            pa.array([None if head is None else list(head.values()) for head in sparse], pa.list_(pa.float32())),
            pa.array([None if head is None else packed(head) for head in multi], pa.list_(pa.binary())),
        ]
        return pa.Table.from_arrays(columns, schema=self._schema)
