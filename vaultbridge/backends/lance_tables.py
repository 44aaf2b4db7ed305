"""How receipts, chunks and vectors lie in LanceDB's tables, and what its errors mean to us."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from lancedb.index import FTS, BTree

from vaultbridge.core.errors import DiskFull, StoreMismatch
from vaultbridge.core.notes import Chunk, FileState, IndexedNote, NotePath, Span

VERSION = "2"
"""Of the tables' shape: another one on the disk means a rebuild."""
VERSION_KEY = "vaultbridge.version"
REBUILD = "Run `vaultbridge index --rebuild`."

NOTES = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("mtime_ns", pa.int64(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("tags", pa.list_(pa.string()), nullable=False),
        pa.field("aliases", pa.list_(pa.string()), nullable=False),
        pa.field("headings", pa.list_(pa.string()), nullable=False),
        pa.field("links", pa.list_(pa.string()), nullable=False),
        pa.field("chunks", pa.int32(), nullable=False),
        pa.field("indexed_at", pa.float64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("attempts", pa.int32(), nullable=False),
    ],
    metadata={VERSION_KEY: VERSION},
)

# No tags and no mtime here: they would go stale when a note is only touched. Scopes are resolved on the receipts.
CHUNKS = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("note", pa.string(), nullable=False),
        pa.field("ordinal", pa.int32(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
        pa.field("start_line", pa.int64(), nullable=False),
        pa.field("end_line", pa.int64(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("heading", pa.list_(pa.string()), nullable=False),
        pa.field("context", pa.string(), nullable=False),
        pa.field("digest", pa.string(), nullable=False),
        pa.field("words", pa.string(), nullable=False),
    ],
    metadata={VERSION_KEY: VERSION},
)
CHUNK_COLUMNS = ["note", "ordinal", "start", "end", "start_line", "end_line", "text", "heading", "context"]

# `icu` splits Chinese and Japanese into words; the default tokenizer finds 13 % of Chinese answers. Stems and
# identifiers are written out by Words. Stop words stay, since they are English only; positions have crashed compaction.
WORDS = FTS(
    base_tokenizer="icu",
    stem=False,
    remove_stop_words=False,
    ascii_folding=True,
    lower_case=True,
    with_position=False,
)
CHUNK_INDICES: Mapping[str, FTS | BTree] = {"words": WORDS, "note": BTree(), "digest": BTree()}


def note_row(note: IndexedNote) -> dict[str, Any]:
    """A receipt as a row of NOTES."""
    state = note.state
    return {
        "path": state.path,
        "mtime_ns": state.mtime_ns,
        "size": state.size,
        "sha256": state.sha256,
        "title": note.title,
        "tags": note.tags,
        "aliases": note.aliases,
        "headings": note.headings,
        "links": note.links,
        "chunks": note.chunks,
        "indexed_at": note.indexed_at,
        "reason": note.reason,
        "attempts": note.attempts,
    }


def row_note(row: Mapping[str, Any]) -> IndexedNote:
    """A row of NOTES as the receipt that it was."""
    return IndexedNote(
        state=FileState(NotePath(row["path"]), row["mtime_ns"], row["size"], row["sha256"]),
        title=row["title"],
        tags=tuple(row["tags"]),
        aliases=tuple(row["aliases"]),
        headings=tuple(row["headings"]),
        links=tuple(row["links"]),
        chunks=row["chunks"],
        indexed_at=row["indexed_at"],
        reason=row["reason"],
        attempts=row["attempts"],
    )


def chunk_row(chunk: Chunk) -> dict[str, Any]:
    """A chunk as a row of CHUNKS, but for its words."""
    return {
        "key": chunk.key,
        "note": chunk.note,
        "ordinal": chunk.ordinal,
        "start": chunk.span.start,
        "end": chunk.span.end,
        "start_line": chunk.span.start_line,
        "end_line": chunk.span.end_line,
        "text": chunk.text,
        "heading": chunk.heading,
        "context": chunk.context,
        "digest": chunk.digest,
    }


def row_chunk(row: Mapping[str, Any]) -> Chunk:
    """The CHUNK_COLUMNS of a row as the chunk that it was."""
    return Chunk(
        note=NotePath(row["note"]),
        ordinal=row["ordinal"],
        span=Span(row["start"], row["end"], row["start_line"], row["end_line"]),
        text=row["text"],
        heading=tuple(row["heading"]),
        context=row["context"],
    )


async def table_names(db: Any) -> list[str]:
    """Every table of a connection."""
    names: list[str] = []
    page = await db.list_tables()
    names += page.tables
    while page.page_token:
        page = await db.list_tables(page_token=page.page_token)
        names += page.tables
    return names


async def open_table(db: Any, name: str, schema: Any, indices: Mapping[str, Any]) -> Any:
    """Open or create a table and make the indices it lacks. Raises StoreMismatch if it has another version."""
    if name in await table_names(db):
        table = await db.open_table(name)
        version = ((await table.schema()).metadata or {}).get(VERSION_KEY.encode(), b"").decode()
        if version != VERSION:
            raise StoreMismatch(f"The index has version {version or 'unknown'}, this program needs {VERSION}.", REBUILD)
    else:
        table = await db.create_table(name, schema=schema)
    indexed = {column for index in await table.list_indices() for column in index.columns}
    for column, config in indices.items():
        if column not in indexed:
            await table.create_index(column, config=config)
    return table


async def read(query: Any) -> list[dict[str, Any]]:
    """A query's rows. Raises StoreMismatch if the files cannot be read."""
    with guarded():
        rows: list[dict[str, Any]] = (await query.to_arrow()).to_pylist()
    return rows


async def columns(query: Any, *names: str) -> Iterator[tuple[Any, ...]]:
    """Some columns of a query's rows, as tuples: half the time of ``read`` for many narrow rows."""
    with guarded():
        table = await query.select(list(names)).to_arrow()
    return zip(*(table.column(name).to_pylist() for name in names), strict=True)


async def merge(table: Any, key: str, rows: Sequence[Mapping[str, Any]], stale: Any) -> None:
    """Upsert ``rows`` by ``key`` and delete the rows that match ``stale`` and are not among them, in one commit."""
    schema = await table.schema()
    builder = table.merge_insert(key).when_matched_update_all().when_not_matched_insert_all()
    await builder.when_not_matched_by_source_delete(stale).execute(pa.Table.from_pylist(rows, schema=schema))


@contextmanager
def guarded() -> Iterator[None]:
    """Lance reports every trouble with its files as a RuntimeError or an OSError with a telling text."""
    try:
        yield
    except (RuntimeError, OSError) as error:
        text = str(error).lower()
        if any(sign in text for sign in ("no space left", "not enough space", "quota exceeded")):
            raise DiskFull(
                "No room is left for the index.", "Free some space; nothing that was stored is lost."
            ) from error
        raise StoreMismatch(f"The index cannot be used: {str(error)[:200]}", REBUILD) from error
