"""How receipts, chunks and vectors lie in LanceDB's tables, and what its errors mean to us."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import pyarrow as pa

from vaultbridge.backends.lance_library import FTS, BTree
from vaultbridge.core.errors import DiskFull, StoreDamaged, StoreMismatch, VaultbridgeError
from vaultbridge.core.notes import Chunk, FileState, IndexedNote, NotePath, Span

T = TypeVar("T")

VERSION = "3"
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
        # The beginning of the sha256 of the file that it was cut from: what is in two tables can be torn apart.
        pa.field("source", pa.string(), nullable=False),
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


def source_of(state: FileState) -> str:
    """What the rows of a note that was read in this state have as their source."""
    return state.sha256[:16]


def chunk_row(chunk: Chunk) -> dict[str, Any]:
    """A chunk as a row of CHUNKS, but for its words and its source."""
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
    """Open or create a table and make the indices it lacks.

    Raises StoreMismatch if it has another version, StoreDamaged if it has none.
    """
    if name in await table_names(db):
        table = await db.open_table(name)
        version = ((await table.schema()).metadata or {}).get(VERSION_KEY.encode(), b"").decode()
        if not version:
            raise damaged(f"{name} does not say its version")
        if version != VERSION:
            raise StoreMismatch(f"The index has version {version}, this program needs {VERSION}.", REBUILD)
    else:
        table = await db.create_table(name, schema=schema)
    indexed = {column for index in await table.list_indices() for column in index.columns}
    for column, config in indices.items():
        if column not in indexed:
            await table.create_index(column, config=config)
    return table


async def read(query: Any) -> list[dict[str, Any]]:
    """A query's rows. Raises StoreDamaged if the files cannot be read."""
    rows: list[dict[str, Any]] = (await _table(query)).to_pylist()
    return rows


async def columns(query: Any, *names: str) -> Iterator[tuple[Any, ...]]:
    """Some columns of a query's rows, as tuples: half the time of ``read`` for many narrow rows."""
    table = await _table(query.select(list(names)))
    return zip(*(table.column(name).to_pylist() for name in names), strict=True)


async def _table(query: Any) -> Any:
    return await latest(query.to_arrow)


async def latest(read: Callable[[], Awaitable[T]]) -> T:
    """What ``read`` gives, by a second try where a purge took the version that the first one read."""
    with guarded():
        try:
            return await read()
        except (RuntimeError, OSError) as error:
            if "not found" not in str(error).lower():
                raise
            return await read()


async def append(table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add ``rows``, none of whose keys is there, in one commit."""
    await table.add(pa.Table.from_pylist(rows, schema=await table.schema()))


async def merge(table: Any, key: str, rows: Sequence[Mapping[str, Any]], stale: Any) -> None:
    """Upsert ``rows`` by ``key`` and delete the rows that match ``stale`` and are not among them, in one commit."""
    schema = await table.schema()
    builder = table.merge_insert(key).when_matched_update_all().when_not_matched_insert_all()
    await builder.when_not_matched_by_source_delete(stale).execute(pa.Table.from_pylist(rows, schema=schema))


@contextmanager
def guarded() -> Iterator[None]:
    """Lance reports every trouble with its files as one of a few errors with a telling text."""
    try:
        yield
    except Exception as error:
        # A panic comes as a class that cannot be imported.
        if isinstance(error, (RuntimeError, OSError, ValueError)) or type(error).__name__ == "RustPanic":
            raise _told(str(error)) from error
        raise


def damaged(what: str) -> StoreDamaged:
    """The error for files that are not as they were written."""
    return StoreDamaged(
        f"The index is damaged: {what[:200]}", "Restart vaultbridge: what cannot be read is set aside and made anew."
    )


def _told(text: str) -> VaultbridgeError:
    low = text.lower()
    if any(sign in low for sign in ("no space left", "not enough space", "quota exceeded")):
        return DiskFull("No room is left for the index.", "Free some space; nothing that was stored is lost.")
    # What the system refuses (2 is a file that is not there) or another writer spoils says nothing of the files.
    refused = re.search(r"os error (\d+)", low)
    if (refused and refused[1] != "2") or "conflict" in low:
        return StoreMismatch(
            f"The index cannot be used: {text[:200]}", "What the system says has to be put right first."
        )
    return damaged(text)
