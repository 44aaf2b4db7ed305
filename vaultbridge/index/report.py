"""What the status shows of the index."""

from __future__ import annotations

from collections.abc import Mapping

from vaultbridge.core.notes import NotePath
from vaultbridge.core.search import Freshness, IndexProgress
from vaultbridge.index.backfill import Backfill
from vaultbridge.index.indexer import Indexer
from vaultbridge.index.note_status import NoteStatus
from vaultbridge.index.verify import Verification


class IndexReport:
    """The indexer and the backfill, seen from outside."""

    def __init__(self, indexer: Indexer, backfill: Backfill, standing: dict[str, str]) -> None:
        self._indexer = indexer
        self._backfill = backfill
        self._standing = standing

    @property
    def freshness(self) -> Freshness:
        """How far the index is behind the vault."""
        return self._indexer.freshness

    @property
    def progress(self) -> IndexProgress:
        """How far indexing is."""
        notes, backfill = self._indexer.progress, self._backfill
        return IndexProgress(notes.done, notes.total, backfill.rate, backfill.seconds_left, backfill.paused)

    @property
    def embedded(self) -> int:
        """Texts embedded since the start: a move must not raise it."""
        return self._backfill.embedded

    @property
    def problems(self) -> dict[str, str]:
        """What is wrong just now, by what it is wrong with; ``standing`` ones were so from the start."""
        found = {
            "index": self._indexer.error,
            "store": self._indexer.damage,
            "vectors": self._backfill.error,
            "rules": " ".join(self._indexer.rule_problems),
            "watcher": self._indexer.polling,
        }
        return {**self._standing, **{place: reason for place, reason in found.items() if reason}}

    @property
    def exclusions(self) -> Mapping[str, int]:
        """How many notes each rule keeps out."""
        return self._indexer.exclusions

    async def note(self, path: NotePath) -> NoteStatus:
        """Whether a note is in the index, and if not, why."""
        return await self._indexer.status(path)

    async def verify(self) -> Verification:
        """Compare the index with a fresh reading of the vault, and write again what differs."""
        return await self._indexer.verify()
