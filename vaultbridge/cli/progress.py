"""How far indexing is, on the terminal."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rich.progress import Progress

from vaultbridge.cli.console import err, progress_bar

if TYPE_CHECKING:
    from vaultbridge.server.services import IndexView

LOOK_SECONDS = 0.25


class IndexBars:
    """One bar for the notes that are being read, one for the chunks that get their vectors."""

    def __init__(self, bar: Progress, index: IndexView) -> None:
        self._bar = bar
        self._index = index
        self._notes = bar.add_task("Reading notes", total=None)
        self._vectors = bar.add_task("Embedding", total=None, visible=False)

    def update(self) -> None:
        """Show how it stands now."""
        progress, pending, embedded = self._index.progress, self._index.freshness.pending, self._index.embedded
        if progress.notes_total:
            self._bar.update(self._notes, completed=progress.notes_done, total=progress.notes_total)
        if pending or embedded:
            does = f"Embedding, paused {progress.paused}" if progress.paused else "Embedding"
            self._bar.update(
                self._vectors, description=does, completed=embedded, total=embedded + pending, visible=True
            )


async def show_indexing(index: IndexView) -> None:
    """Show it from the start of a server until everything is indexed once, or cannot be; only where somebody looks."""
    if not err.is_terminal:
        return
    with progress_bar(quiet=False) as bar:
        bars = IndexBars(bar, index)
        while not _is_over(index):
            bars.update()
            await asyncio.sleep(LOOK_SECONDS)
        bars.update()


def _is_over(index: IndexView) -> bool:
    freshness, problems = index.freshness, index.problems
    read = freshness.visible == freshness.wanted > 0 or "index" in problems
    return read and (not freshness.pending or "vectors" in problems)
