"""One vector space: the table that keeps an embedder's vectors by the digest of what was embedded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Set
from typing import Any

import numpy as np
import pyarrow as pa
from lancedb.expr import col
from lancedb.index import BTree

from vaultbridge.backends.lance_tables import REBUILD, VERSION, VERSION_KEY, columns, open_table, read
from vaultbridge.core.errors import StoreMismatch
from vaultbridge.core.search import Embedding, Vector

PREFIX = "vectors_"
FINGERPRINT_KEY = "vaultbridge.fingerprint"
PREFILTER = 1_000
"""Up to this many digests are handed to LanceDB as a filter; a longer list costs more than the scan that it saves."""
GENEROSITY = 4
"""How many times the wanted vectors are fetched at first, since orphans and vectors out of scope are among them."""
SLICE = 5_000


class VectorTable:
    """The vectors of one fingerprint: stored as float16, exact cosine by scan, no vector index."""

    def __init__(self, table: Any, schema: Any) -> None:
        self.name: str = table.name
        self.fingerprint: str = schema.metadata[FINGERPRINT_KEY.encode()].decode()
        self.dimensions: int = schema.field("vector").type.list_size
        self.table = table
        self._schema = schema
        self._digests: set[str] = set()
        self._version = -1

    @classmethod
    async def open(cls, db: Any, fingerprint: str, dimensions: int) -> VectorTable:
        """Open or create the table of ``fingerprint``. Raises StoreMismatch if it holds other dimensions."""
        # Fingerprints may hold anything; table names may not, and some file systems fold case.
        name = PREFIX + hashlib.sha256(fingerprint.encode()).hexdigest()[:16]
        schema = pa.schema(
            [
                pa.field("digest", pa.string(), nullable=False),
                pa.field("vector", pa.list_(pa.float16(), dimensions), nullable=False),
                pa.field("ids", pa.list_(pa.int32())),
                pa.field("weights", pa.list_(pa.float32())),
            ],
            metadata={VERSION_KEY: VERSION, FINGERPRINT_KEY: fingerprint},
        )
        table = await open_table(db, name, schema, {"digest": BTree()})
        vectors = cls(table, await table.schema())
        if vectors.dimensions != dimensions:
            raise StoreMismatch(
                f"The index holds vectors of {vectors.dimensions} dimensions, the embedder makes {dimensions}.", REBUILD
            )
        return vectors

    @classmethod
    async def named(cls, db: Any, name: str) -> VectorTable:
        """Open a table that is known to exist."""
        table = await db.open_table(name)
        return cls(table, await table.schema())

    async def digests(self) -> Set[str]:
        """Everything that has a vector here; kept in memory while the table's version stays."""
        version = await self.table.version()
        if version != self._version:
            rows = await columns(self.table.query(), "digest")
            # Read after the version was: at worst the set is newer than its label and is read once more.
            self._digests, self._version = {digest for (digest,) in rows}, version
        return self._digests

    async def nearest(self, vector: Vector, among: Set[str], limit: int) -> dict[str, float]:
        """The ``limit`` digests of ``among`` nearest to ``vector``, each with its cosine, best first."""
        if not among:
            return {}
        fetch = limit * GENEROSITY
        while True:
            query = self.table.query().nearest_to(vector).distance_type("cosine").bypass_vector_index()
            query = query.select(["digest", "_distance"]).limit(fetch)
            if len(among) <= PREFILTER:
                query = query.where(col("digest").isin(sorted(among)))
            rows = await read(query)
            found = [(row["digest"], 1.0 - row["_distance"]) for row in rows if row["digest"] in among]
            if len(found) >= limit or len(rows) < fetch:
                return dict(found[:limit])
            fetch *= 2 * GENEROSITY

    async def get(self, digests: Set[str]) -> dict[str, Vector]:
        """The vectors among ``digests``, ``(dimensions,)`` float32 each."""
        wanted = sorted(digests & await self.digests())
        if not wanted:
            return {}
        rows = await read(self.table.query().where(col("digest").isin(wanted)).select(["digest", "vector"]))
        return {row["digest"]: np.asarray(row["vector"], dtype=np.float32) for row in rows}

    async def add(self, vectors: Mapping[str, Embedding]) -> None:
        """Append the vectors that are not here yet."""
        known = await self.digests()
        fresh = {digest: vector for digest, vector in vectors.items() if digest not in known}
        if not fresh:
            return
        added = await self.table.add(self._rows(fresh))
        if added.version == self._version + 1:  # nothing else was written: spare the next reader a scan
            self._digests.update(fresh)
            self._version = added.version

    async def keep(self, used: Set[str]) -> None:
        """Delete every vector whose digest is not ``used``."""
        orphans = sorted(await self.digests() - used)
        for at in range(0, len(orphans), SLICE):
            await self.table.delete(col("digest").isin(orphans[at : at + SLICE]))

    def close(self) -> None:
        """Let go of the files."""
        self.table.close()

    def _rows(self, vectors: Mapping[str, Embedding]) -> Any:
        dense = np.stack([vector.dense for vector in vectors.values()])
        if dense.shape[1] != self.dimensions:
            raise StoreMismatch(
                f"A vector of {dense.shape[1]} dimensions cannot stand beside {self.dimensions}.", REBUILD
            )
        sparse = [vector.sparse for vector in vectors.values()]
        values = pa.array(dense.astype(np.float16).ravel())
        columns = [
            pa.array(list(vectors), pa.string()),
            pa.FixedSizeListArray.from_arrays(values, self.dimensions),
            pa.array([None if head is None else list(head.keys()) for head in sparse], pa.list_(pa.int32())),
            pa.array([None if head is None else list(head.values()) for head in sparse], pa.list_(pa.float32())),
        ]
        return pa.Table.from_arrays(columns, schema=self._schema)
