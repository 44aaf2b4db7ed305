"""What the store keeps in memory of its rows: enough to resolve a scope, to count, and to see what lacks a vector."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from typing import Any

from vaultbridge.backends.lance_tables import columns
from vaultbridge.core.notes import NotePath, NoteUpdate
from vaultbridge.core.search import Scope


@dataclass(frozen=True, slots=True)
class Receipt:
    """The part of a note's receipt that scopes and counts ask for; ``mtime`` in seconds, tags folded, without ``#``."""

    mtime: float
    tags: tuple[str, ...]
    unreadable: bool

    @classmethod
    def of(cls, mtime_ns: int, tags: Iterable[str], reason: str) -> Receipt:
        """From the fields of an IndexedNote."""
        return cls(mtime_ns / 1e9, tuple(map(_fold, tags)), bool(reason))


@dataclass(frozen=True, slots=True)
class Outline:
    """A view of the rows at one ``version`` of the tables. ``digests``: those of each note's chunks, in order."""

    version: tuple[int, int]
    receipts: dict[NotePath, Receipt]
    digests: dict[NotePath, list[str]]

    @classmethod
    async def read(cls, version: tuple[int, int], notes: Any, chunks: Any) -> Outline:
        """Read the narrow columns of both tables."""
        receipts = {
            NotePath(path): Receipt.of(mtime_ns, tags, reason)
            for path, mtime_ns, tags, reason in await columns(notes.query(), "path", "mtime_ns", "tags", "reason")
        }
        digests: dict[NotePath, list[str]] = {}
        for note, _, digest in sorted(await columns(chunks.query(), "note", "ordinal", "digest")):
            digests.setdefault(note, []).append(digest)
        return cls(version, receipts, digests)

    def after(self, version: tuple[int, int], written: Iterable[NoteUpdate], gone: Set[NotePath]) -> Outline:
        """The outline once a batch is written: a save must not cost the next search a scan of every row."""
        receipts = {path: receipt for path, receipt in self.receipts.items() if path not in gone}
        digests = {path: digests for path, digests in self.digests.items() if path not in gone}
        for update in written:
            path = update.note.state.path
            receipts[path] = Receipt.of(update.note.state.mtime_ns, update.note.tags, update.note.reason)
            if update.chunks is not None:
                digests[path] = [chunk.digest for chunk in sorted(update.chunks, key=lambda chunk: chunk.ordinal)]
        return Outline(version, receipts, digests)

    def allowed(self, scope: Scope) -> Set[NotePath] | None:
        """The notes that a scope lets through; None if it does not restrict."""
        if scope == Scope():
            return None
        folders = tuple(f"{folder}/" if (folder := name.strip("/")) else "" for name in scope.folders)
        tags = tuple(_fold(tag) for tag in scope.tags)
        only, never = frozenset(scope.notes), frozenset(scope.exclude)
        return {
            path
            for path, receipt in self.receipts.items()
            if path not in never
            and (not only or path in only)
            and (not folders or path.startswith(folders))
            and (not tags or any(has == tag or has.startswith(f"{tag}/") for tag in tags for has in receipt.tags))
            and (scope.since is None or receipt.mtime >= scope.since)
            and (scope.until is None or receipt.mtime <= scope.until)
        }

    def digests_of(self, notes: Set[NotePath] | None) -> set[str]:
        """The digests of some notes' chunks; of all for None."""
        if notes is None:
            return {digest for digests in self.digests.values() for digest in digests}
        return {digest for note in notes for digest in self.digests.get(note, ())}

    def newest(self) -> Iterator[str]:
        """Every chunk's digest, of the newest note first."""
        # A note whose receipt is still to be written is the newest there is.
        age = {path: -receipt.mtime for path, receipt in self.receipts.items()}
        for path in sorted(self.digests, key=lambda path: (age.get(path, float("-inf")), path)):
            yield from self.digests[path]


def _fold(tag: str) -> str:
    """A tag as Obsidian compares it: case does not count, nor the ``#`` in front."""
    return tag.removeprefix("#").casefold()
