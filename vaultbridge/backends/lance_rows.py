"""The rows of the chunks as they lie on the disk, for whoever wants to compare them with what they should be."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Set
from typing import Any

from vaultbridge.backends.lance_library import MatchQuery, col
from vaultbridge.backends.lance_tables import CHUNK_COLUMNS, guarded, read, row_chunk
from vaultbridge.core.notes import NotePath, Row

_WORD = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af]{1,8}|(?<!\w)\w{1,40}(?!\w)")
"""Longer ones are no words to the index; Chinese stands without spaces."""
_FEW = 8
"""Words by which a chunk is asked for."""


async def stored_rows(chunks: Any, embedded: Set[str]) -> list[Row]:
    """Every row, sorted; ``embedded`` are the digests that have a vector."""
    rows: list[Row] = []
    with guarded():
        async for batch in await chunks.query().select([*CHUNK_COLUMNS, "digest"]).to_batches():
            rows += await asyncio.to_thread(lambda batch: list(_rows(batch, embedded)), batch)
    return sorted(rows, key=lambda row: (row.note, row.ordinal))


async def is_found(chunks: Any, note: NotePath) -> bool:
    """Whether the keyword index finds each of a note's chunks by its own words."""
    rows = await read(chunks.query().where(col("note") == note).select(["ordinal", "words"]))
    asked = {row["ordinal"]: words for row in rows if (words := _WORD.findall(row["words"])[:_FEW])}
    if not asked:
        return True
    question = MatchQuery(" ".join(word for words in asked.values() for word in words), "words")
    query = chunks.query().nearest_to_text(question).where(col("note") == note).limit(len(rows))
    return asked.keys() <= {row["ordinal"] for row in await read(query.select(["ordinal", "_score"]))}


def _rows(batch: Any, embedded: Set[str]) -> Iterator[Row]:
    for row in batch.to_pylist():
        chunk, digest = row_chunk(row), row["digest"]
        yield Row(chunk.note, chunk.ordinal, chunk.span, digest if digest == chunk.digest else "", digest in embedded)
