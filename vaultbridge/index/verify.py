"""Compares the store with a fresh reading of the vault, note by note and chunk by chunk."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, fields, replace
from itertools import groupby

from vaultbridge.core.notes import Change, FileState, IndexedNote, NotePath, NoteUpdate, Row
from vaultbridge.core.ports import ChunkStore
from vaultbridge.index.reading import Reading
from vaultbridge.index.rules import StandingRules
from vaultbridge.vault.files import Vault

ASKED_NOTES = 1_000
"""Notes whose words are asked for, evenly spread over a larger vault: a question takes some milliseconds."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A note of which the store does not hold what the vault says, and what of it, for people to read."""

    note: NotePath
    what: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many notes and chunks the vault has, and each note that the store holds otherwise, sorted by path."""

    notes: int
    chunks: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Verification:
    """The store as it was found, and as it is after what differed was written again."""

    found: Comparison
    left: Comparison

    @property
    def equal(self) -> bool:
        """Whether the store equals the vault now."""
        return not self.left.differences


class Verifier:
    """Reads everything: the notes through ``reading``, the rows from the disk."""

    def __init__(self, vault: Vault, rules: StandingRules, reading: Reading, store: ChunkStore) -> None:
        self._vault = vault
        self._rules = rules
        self._reading = reading
        self._store = store

    async def compare(self, *, vectors: bool) -> Comparison:
        """Compare every note; ``vectors``: each chunk should have one."""
        rows = {note: list(those) for note, those in groupby(await self._store.rows(), lambda row: row.note)}
        receipts = {note.state.path: note for note in await self._store.notes()}
        unlisted: list[str] = []
        changes = await asyncio.to_thread(self._everything, unlisted)
        found: dict[NotePath, str] = {}
        chunks = 0
        seen: set[NotePath] = set()
        async with aclosing(self._reading.batches(changes, receipts, self._rules.content)) as batches:
            async for batch in batches:
                for update in batch.updates:
                    path = update.note.state.path
                    seen.add(path)
                    held = rows.get(path, [])
                    chunks += len(held if update.chunks is None else update.chunks)
                    found[path] = "; ".join(_differences(update, receipts.get(path), held, vectors=vectors))
        known = {path for path in receipts.keys() | rows.keys() if not self._is_unknown(path, unlisted)}
        found |= dict.fromkeys(known - seen, "is indexed, but is not in the vault or not to be indexed")
        whole = sorted(path for path in seen if rows.get(path) and not found[path])
        sample = whole[:: -(-len(whole) // ASKED_NOTES)] if whole else []
        found |= dict.fromkeys(await self._store.unfound(sample), "is not found by its words")
        differences = tuple(Difference(path, found[path]) for path in sorted(found) if found[path])
        return Comparison(len(seen), chunks, differences)

    def _everything(self, unlisted: list[str]) -> Sequence[Change]:
        return [
            Change("added", file.path, FileState(file.path, file.mtime_ns, file.size, ""))
            for file in self._vault.walk(self._rules.current, unlisted.append)
            if not self._rules.reason(file.path)
        ]

    def _is_unknown(self, path: NotePath, unlisted: Sequence[str]) -> bool:
        """Whether it may be in a folder that cannot be listed: then its last good chunks stay."""
        return path.startswith(tuple(unlisted)) and not self._rules.reason(path)


def _differences(
    update: NoteUpdate, receipt: IndexedNote | None, rows: Sequence[Row], *, vectors: bool
) -> Iterator[str]:
    """In what a note's receipt and rows are not as they should be."""
    if receipt is None:
        yield "is not indexed"
        return
    if update.chunks is None:  # it cannot be read, and its last good chunks stay
        if (receipt.reason, receipt.state.stat) != (update.note.reason, update.note.state.stat):
            yield "its receipt does not say that it cannot be read"
        if [row.ordinal for row in rows] != list(range(receipt.chunks)):
            yield "chunks are missing or too many"
    else:
        if not receipt.state.sha256:
            yield "its receipt and its chunks do not belong together"
        elif wrong := _unequal(update.note, receipt):
            yield f"its receipt differs: {', '.join(wrong)}"
        wanted = [(chunk.ordinal, chunk.span, chunk.digest) for chunk in update.chunks]
        if wanted != [(row.ordinal, row.span, row.digest) for row in rows]:
            yield "its chunks differ"
    if vectors and (without := sum(not row.embedded for row in rows)):
        yield f"{without} of its chunks have no vector"


def _unequal(wanted: IndexedNote, receipt: IndexedNote) -> Sequence[str]:
    """The fields in which two receipts differ, but for when and how often the note was read."""
    receipt = replace(receipt, indexed_at=wanted.indexed_at, attempts=wanted.attempts)
    return [field.name for field in fields(wanted) if getattr(wanted, field.name) != getattr(receipt, field.name)]
