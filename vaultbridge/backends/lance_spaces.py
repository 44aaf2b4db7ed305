"""The vector tables of an index, one for each embedder that it has had."""

from __future__ import annotations

import asyncio
from typing import Any

from vaultbridge.backends.lance_memory import Bounds
from vaultbridge.backends.lance_tables import guarded, table_names
from vaultbridge.backends.lance_vectors import PREFIX, VectorTable, table_name


class VectorSpaces:
    """Opens each table once: what is written through one of LanceDB's handles is not seen through another.

    ``filled`` is the one that vectors are added to; questions are answered from it, too, unless another one is served:
    while an embedder succeeds another. Those two alone are kept in memory.
    """

    def __init__(self, db: Any, bounds: Bounds) -> None:
        self._db = db
        self._bounds = bounds
        self._tables: dict[str, VectorTable] = {}
        self._opening = asyncio.Lock()
        self._served: VectorTable | None = None
        self.filled: VectorTable | None = None

    @property
    def asked(self) -> VectorTable | None:
        """The one that questions are answered from."""
        return self._served or self.filled

    def there(self, fingerprint: str, dimensions: int) -> VectorTable | None:
        """The one that is filled or served, if it has this fingerprint."""
        spaces = [space for space in (self.filled, self._served) if space is not None]
        known = (space for space in spaces if (space.fingerprint, space.dimensions) == (fingerprint, dimensions))
        return next(known, None)

    async def open(self, fingerprint: str, dimensions: int) -> VectorTable:
        """Open or create this one, and read it. Raises StoreMismatch if it holds other dimensions, StoreDamaged."""
        async with self._opening:
            if (space := self._tables.get(table_name(fingerprint))) is None:
                with guarded():
                    space = await VectorTable.open(self._db, fingerprint, dimensions, self._bounds)
                self._tables[space.name] = space
        space.check(dimensions)
        await space.digests()
        return space

    async def all(self) -> list[VectorTable]:
        """Every one, those of past embedders too."""
        async with self._opening:
            for name in await table_names(self._db):
                if name.startswith(PREFIX) and name not in self._tables:
                    with guarded():
                        self._tables[name] = await VectorTable.named(self._db, name, self._bounds)
            return list(self._tables.values())

    def fill(self, space: VectorTable) -> None:
        """Add vectors to this one from now on."""
        self.filled = space
        self._forget_the_others()

    def serve(self, space: VectorTable) -> None:
        """Answer questions from this one from now on."""
        self._served = space
        self._forget_the_others()

    def close(self) -> None:
        """Let go of the files."""
        for space in self._tables.values():
            space.close()

    def _forget_the_others(self) -> None:
        for space in self._tables.values():
            if space is not self.filled and space is not self._served:
                space.forget()
