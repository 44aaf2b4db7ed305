"""The chunks themselves in memory: LanceDB takes longer to fetch a hundred of them than to find them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pyarrow as pa

from vaultbridge.backends.lance_tables import CHUNK_COLUMNS, CHUNKS, chunk_row, row_chunk
from vaultbridge.core.notes import Chunk, NotePath, NoteUpdate

FRESH = 1_000
"""Chunks that stand beside the table before they are put into it, at least; a quarter of what is in a larger one."""
COLUMNS = pa.schema([CHUNKS.field(name) for name in CHUNK_COLUMNS])

Place = tuple[NotePath, int]
"""A note, and which of its chunks in their order."""


@dataclass(frozen=True, slots=True)
class ChunkRows:
    """Every chunk. ``table`` has them as packed as the disk; ``rows`` are those of each note, by ordinal.

    Notes that were ``written`` since then stand here, not there; notes that are gone are empty.
    """

    table: Any
    rows: Mapping[NotePath, Sequence[int]]
    written: Mapping[NotePath, Sequence[Chunk]]
    bound: int

    def after(self, written: Iterable[NoteUpdate], gone: Set[NotePath]) -> ChunkRows | None:
        """The chunks once a batch is written; None if they take more than ``bound`` bytes."""
        fresh: dict[NotePath, Sequence[Chunk]] = {**self.written, **dict.fromkeys(gone, ())}
        for update in written:
            if update.chunks is not None:
                fresh[update.note.state.path] = sorted(update.chunks, key=lambda chunk: chunk.ordinal)
        after = ChunkRows(self.table, self.rows, fresh, self.bound)
        return after._packed() if sum(map(len, fresh.values())) > max(FRESH, len(self.table) // 4) else after

    def at(self, places: Sequence[Place]) -> list[Chunk]:
        """The chunks at some places, which exist, in their order."""
        stored = [self.rows[note][place] for note, place in places if note not in self.written]
        chunks = map(row_chunk, self.table.take(pa.array(stored, pa.int64())).to_pylist())
        return [self.written[note][place] if note in self.written else next(chunks) for note, place in places]

    def _packed(self) -> ChunkRows | None:
        left = {note: rows for note, rows in self.rows.items() if note not in self.written}
        kept = self.table.take(pa.array(chain.from_iterable(left.values()), pa.int64()))
        fresh = pa.Table.from_pylist(
            [chunk_row(chunk) for chunk in chain.from_iterable(self.written.values())], COLUMNS
        )
        counts = {note: len(chunks) for note, chunks in [*left.items(), *self.written.items()]}
        rows, first = {}, 0
        for note, count in counts.items():
            rows[note] = range(first, first + count)
            first += count
        # In one piece: pieces would be joined anew each time that some rows are taken.
        table = pa.concat_tables([kept, fresh]).combine_chunks()
        return ChunkRows(table, rows, {}, self.bound) if table.nbytes <= self.bound else None
