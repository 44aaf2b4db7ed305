"""What the store keeps in memory of its rows: enough to resolve a scope or a link, to count, to see what lacks
a vector, and to name the chunks that were found."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from vaultbridge.backends.lance_chunks import COLUMNS, ChunkRows
from vaultbridge.backends.lance_tables import CHUNK_COLUMNS, guarded, read, row_note, source_of
from vaultbridge.backends.link_graph import LinkGraph
from vaultbridge.backends.precedence import foremost
from vaultbridge.core.notes import Chunk, IndexedNote, NotePath, NoteUpdate, folded, folded_name
from vaultbridge.core.search import Scope


@dataclass(frozen=True, slots=True)
class Receipt:
    """The part of a note's receipt that scopes and counts ask for; ``mtime`` and
    ``written`` in seconds, tags folded, without ``#``."""

    mtime: float
    written: float
    tags: tuple[str, ...]
    unreadable: bool

    @classmethod
    def of(cls, note: IndexedNote) -> Receipt:
        """From the whole one."""
        return cls(note.state.mtime_ns / 1e9, note.state.written, tuple(map(_fold, note.tags)), bool(note.reason))

    def within(self, tags: Sequence[str]) -> bool:
        """Whether the note has one of ``tags`` or one below it."""
        return any(has == tag or has.startswith(f"{tag}/") for tag in tags for has in self.tags)


@dataclass(frozen=True, slots=True)
class Outline:
    """A view of the rows as they were at one moment.

    ``digests``: those of each note's chunks, in order; ``owners``: the note of each chunk that has that digest;
    ``rows``: the chunks, None if they take more memory than they may; ``unsound``: the notes whose rows are not those
    of their receipt, or have none. Notes that are ``left_out`` are nowhere else, so that nothing names them.
    ``known``: the whole receipts as they were read, None once something was written.
    """

    receipts: dict[NotePath, Receipt]
    digests: dict[NotePath, Sequence[str]]
    owners: dict[str, tuple[NotePath, ...]]
    graph: LinkGraph
    rows: ChunkRows | None
    unsound: Set[NotePath] = frozenset()
    left_out: Set[NotePath] = frozenset()
    known: Sequence[IndexedNote] | None = None

    @classmethod
    async def read(cls, notes: Any, chunks: Any, bound: int) -> Outline:
        """Read the receipts, and the chunks as far as they take no more than ``bound`` bytes."""
        known = [row_note(row) for row in await read(notes.query())]
        narrow: list[Any] = []
        whole: list[Any] | None = []
        size = 0
        with guarded():
            async for batch in await chunks.query().select([*CHUNK_COLUMNS, "digest", "source"]).to_batches():
                narrow.append(batch.select(["note", "ordinal", "digest", "source"]))
                size += batch.nbytes
                whole = [*whole, batch.select(CHUNK_COLUMNS)] if whole is not None and size <= bound else None
        return await asyncio.to_thread(cls._of, known, narrow, whole, bound)

    @classmethod
    def _of(
        cls, known: Sequence[IndexedNote], narrow: Sequence[Any], whole: Sequence[Any] | None, bound: int
    ) -> Outline:
        digests: dict[NotePath, list[str]] = {}
        rows: dict[NotePath, list[int]] = {}
        owners: dict[str, tuple[NotePath, ...]] = {}
        places: dict[NotePath, list[tuple[int, str]]] = {}
        columns = [[value for batch in narrow for value in batch.column(at).to_pylist()] for at in range(4)]
        for note, ordinal, digest, source, row in sorted(zip(*columns, range(len(columns[0])), strict=True)):
            places.setdefault(note, []).append((ordinal, source))
            digests.setdefault(note, []).append(digest)
            rows.setdefault(note, []).append(row)
            owners[digest] = (*owners.get(digest, ()), note)
        left_out = {note.state.path for note in known if note.left_out}
        shown = [note for note in known if not note.left_out]
        receipts = {note.state.path: Receipt.of(note) for note in shown}
        graph = LinkGraph().after(shown, frozenset())
        unsound = {note.state.path for note in known if not _belong(places.get(note.state.path, []), note)}
        unsound |= places.keys() - receipts.keys() - left_out
        chunks: ChunkRows | None = None
        if whole is not None:
            chunks = ChunkRows(pa.Table.from_batches(whole, COLUMNS).combine_chunks(), {**rows}, {}, bound)
        return cls(receipts, {**digests}, owners, graph, chunks, unsound, left_out, known)

    def after(self, written: Sequence[NoteUpdate], gone: Set[NotePath]) -> Outline:
        """The outline once a batch is written: a save must not cost the next search a scan of every row."""
        receipts, digests, owners = self.receipts.copy(), self.digests.copy(), self.owners.copy()
        for path in (*gone, *(update.note.state.path for update in written if update.chunks is not None)):
            for digest in {*digests.pop(path, ())}:
                left = tuple(note for note in owners.pop(digest) if note != path)
                if left:
                    owners[digest] = left
        hidden = {update.note.state.path for update in written if update.note.left_out}
        written = [update for update in written if not update.note.left_out]
        for path in gone | hidden:
            receipts.pop(path, None)
        for update in written:
            path = update.note.state.path
            receipts[path] = Receipt.of(update.note)
            if update.chunks:
                digests[path] = [chunk.digest for chunk in sorted(update.chunks, key=lambda chunk: chunk.ordinal)]
                for digest in digests[path]:
                    owners[digest] = (*owners.get(digest, ()), path)
        gone = gone | hidden
        graph = self.graph.after((update.note for update in written), gone)
        rows = self.rows.after(written, gone) if self.rows is not None else None
        made_good = {update.note.state.path for update in written if update.chunks is not None} | gone
        left_out = (self.left_out | hidden) - (gone - hidden) - {update.note.state.path for update in written}
        return Outline(receipts, digests, owners, graph, rows, self.unsound - made_good, left_out)

    def has(self, note: NotePath, ordinal: int, digest: str) -> bool:
        """Whether that is the digest of a note's n-th chunk."""
        digests = self.digests.get(note, ())
        return ordinal < len(digests) and digests[ordinal] == digest

    def with_digests(self, digests: Iterable[str]) -> list[tuple[str, Chunk]]:
        """Every chunk that has one of ``digests``, if the chunks are here."""
        assert self.rows is not None
        found = [
            (digest, (note, place))
            for digest in digests
            for note in dict.fromkeys(self.owners.get(digest, ()))
            for place, other in enumerate(self.digests[note])
            if other == digest
        ]
        chunks = self.rows.at([place for _, place in found])
        return [(digest, chunk) for (digest, _), chunk in zip(found, chunks, strict=True)]

    def reach(self, scope: Scope) -> Reach:
        """What a scope lets through."""
        if scope == Scope(exclude=scope.exclude):  # nearly every question: the note that is being edited is left out
            return Reach(self, frozenset(scope.exclude) & self.receipts.keys(), inverted=True)
        notes: Iterable[NotePath] = self.receipts.keys() & frozenset(scope.notes) if scope.notes else self.receipts
        folders = tuple(name.strip("/") for name in scope.folders)
        if folders and "" not in folders:
            below = tuple(f"{folder}/" for folder in folders)
            notes = [path for path in notes if path.startswith(below)]
        if scope.names:
            parts = tuple(map(folded, scope.names))
            notes = [path for path in notes if any(part in folded_name(path) for part in parts)]
        if scope.tags:
            tags = tuple(_fold(tag) for tag in scope.tags)
            notes = [path for path in notes if self.receipts[path].within(tags)]
        if scope.since is not None or scope.until is not None:
            since = float("-inf") if scope.since is None else scope.since
            until = float("inf") if scope.until is None else scope.until
            notes = [path for path in notes if since <= self.receipts[path].written <= until]
        allowed = frozenset(notes).difference(scope.exclude)
        if 2 * len(allowed) > len(self.receipts):
            return Reach(self, self.receipts.keys() - allowed, inverted=True)
        return Reach(self, allowed, inverted=False)

    def copies(self, digests: Iterable[str]) -> int:
        """How many chunks have one of ``digests``, all of which are here."""
        return sum(len(self.owners[digest]) for digest in digests)

    def foremost(self, digests: Set[str]) -> list[str]:
        """Some digests, of the newest and the most linked notes first, in the order of each."""
        notes = {note for digest in digests for note in self.owners.get(digest, ())}
        # A note whose receipt is still to be written is the newest there is.
        ages = {note: -self.receipts[note].mtime if note in self.receipts else float("-inf") for note in notes}
        ordered = foremost(ages, self.graph)
        return list(dict.fromkeys(digest for note in ordered for digest in self.digests[note] if digest in digests))


@dataclass(frozen=True, slots=True)
class Reach:
    """The notes that a scope lets through: ``notes``, or all but these if ``inverted``, whichever list is shorter."""

    outline: Outline
    notes: Set[NotePath]
    inverted: bool

    def admits(self, note: NotePath) -> bool:
        """Whether a note is among them."""
        return (note in self.notes) != self.inverted

    def shows(self, digest: str) -> bool:
        """Whether one of their chunks has that digest."""
        return any(map(self.admits, self.outline.owners.get(digest, ())))

    def few(self) -> Set[str] | None:
        """The digests of their chunks; None if that is most of all there are."""
        if self.inverted:
            return None
        return {digest for note in self.notes for digest in self.outline.digests.get(note, ())}


def _belong(places: Sequence[tuple[int, str]], note: IndexedNote) -> bool:
    """Whether rows, each its ordinal and its source, are those of the receipt."""
    if [ordinal for ordinal, _ in places] != list(range(note.chunks)):
        return False
    # Those of a note that cannot be read any more are of an earlier state.
    return bool(note.reason) or {source for _, source in places} <= {source_of(note.state)}


def _fold(tag: str) -> str:
    """A tag as Obsidian compares it: case does not count, nor the ``#`` in front."""
    return tag.removeprefix("#").casefold()
