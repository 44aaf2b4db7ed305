"""What the status shows of the index."""

from __future__ import annotations

from vaultbridge.core.notes import NotePath
from vaultbridge.core.search import Freshness
from vaultbridge.index.backfill import Backfill
from vaultbridge.index.indexer import Indexer


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
    def notes_done(self) -> tuple[int, int]:
        """Written and all notes of the present batch of changes."""
        return self._indexer.progress.done, self._indexer.progress.total

    @property
    def embedded(self) -> int:
        """Texts embedded since the start: a move must not raise it."""
        return self._backfill.embedded

    @property
    def problems(self) -> dict[str, str]:
        """What is wrong just now, by what it is wrong with; ``standing`` ones were so from the start."""
        found = {
            "index": self._indexer.error,
            "vectors": self._backfill.error,
            "rules": " ".join(self._indexer.rule_problems),
            "watcher": self._indexer.polling,
        }
        return {**self._standing, **{place: reason for place, reason in found.items() if reason}}

    def excluded(self, path: NotePath) -> str:
        """Why a path is not indexed; empty if it may be."""
        return self._indexer.excluded(path)
