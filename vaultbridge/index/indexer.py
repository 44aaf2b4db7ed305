"""Keeps the store equal to the vault: look, diff, read, write; then the same for each batch of hints."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass

from vaultbridge.core.errors import VaultbridgeError
from vaultbridge.core.notes import Change, FileStat, IndexedNote, NotePath, NoteUpdate
from vaultbridge.core.ports import ChangeSource, ChunkStore, Clock
from vaultbridge.core.search import Freshness
from vaultbridge.index.backfill import Backfill
from vaultbridge.index.diff import diff, pair_moves
from vaultbridge.index.reader import MOST_ATTEMPTS, NoteReader
from vaultbridge.index.rules import StandingRules
from vaultbridge.index.settle import Hints, Settler
from vaultbridge.vault.files import Vault
from vaultbridge.vault.ignore import RULE_FILES

log = logging.getLogger(__name__)

BATCH_NOTES = 64
"""Notes in one commit of a large change; a save is a batch of one."""
COMMITS_BEFORE_MAINTENANCE = 32
"""Unindexed rows are searched by a scan, and each commit leaves files: maintenance folds both in."""
MOST_PATHS = 256
"""More hints than this, from git or a sync tool, and a look at everything is the cheaper way."""
RETRY_SECONDS = 30.0
"""The wait after the first failed reading of a note, doubled by each further one."""

_EVERYTHING = Hints(frozenset(), everything=True)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the present batch of changes is written, in notes."""

    done: int = 0
    total: int = 0


class Indexer:
    """The only writer of the store's notes. ``run`` keeps it equal to the vault until it is cancelled.

    ``on_change`` hears of every path whose text left the store: edited, moved away, excluded or deleted.
    """

    def __init__(
        self,
        vault: Vault,
        store: ChunkStore,
        source: ChangeSource,
        clock: Clock,
        backfill: Backfill,
        on_change: Callable[[Collection[NotePath]], None] = lambda paths: None,
    ) -> None:
        self._vault = vault
        self._store = store
        self._source = source
        self._clock = clock
        self._backfill = backfill
        self._on_change = on_change
        self._reader = NoteReader(vault, clock)
        self._rules = StandingRules(vault.root)
        self._receipts: dict[NotePath, IndexedNote] = {}
        self._loaded = False
        self._commits = 0
        self._wanted = 0
        self._visible = 0
        self._progress = Progress()
        self._advanced = asyncio.Event()
        self._failure: Exception | None = None
        self._resting = False

    @property
    def error(self) -> str:
        """Why the index is behind the vault; empty if nothing keeps it."""
        return str(self._failure) if self._failure is not None else ""

    @property
    def freshness(self) -> Freshness:
        """How far the index is behind the vault."""
        return Freshness(self._wanted, self._visible, self._backfill.pending)

    @property
    def progress(self) -> Progress:
        """How far the present batch is."""
        return self._progress

    @property
    def polling(self) -> str:
        """Why the vault is polled; empty if the system reports changes."""
        return self._source.polling

    @property
    def rule_problems(self) -> tuple[str, ...]:
        """What is wrong with the files that say what to leave out."""
        return self._rules.problems

    def excluded(self, path: NotePath) -> str:
        """Why a path is not indexed; empty if it may be."""
        return self._rules.reason(path)

    async def run(self) -> None:
        """Bring the store up to date, then follow the vault. The observer starts before the first walk."""
        settler = Settler(self._clock)
        self._source.start(settler.hint)
        try:
            hints: Hints | None = _EVERYTHING
            while True:
                await self._attempt(self._catch_up(hints) if hints else self._retry(), settler)
                hints = await settler.next(self._retry_after())
        finally:
            self._source.stop()

    async def _attempt(self, work: Coroutine[None, None, None], settler: Settler) -> None:
        self._wanted += 1
        wanted = self._wanted
        try:
            await work
        except Exception as error:
            # A full disk, a drive that is gone, a mistake of ours: say it, and look at everything again later.
            if isinstance(error, VaultbridgeError | OSError):
                log.error("indexing failed: %s", error)
            else:
                log.exception("indexing failed")
            self._failure = error
            self._loaded = False
            self._resting = True
            self._advance()
            await self._clock.sleep(RETRY_SECONDS)
            self._resting = False
            settler.hint(None)
            return
        self._failure = None
        self._visible = wanted
        self._advance()

    async def sync(self) -> None:
        """Make the store equal to the vault as it is now; work that an earlier run finished is not done again."""
        self._loaded = False
        await self._catch_up(_EVERYTHING)
        self._visible = self._wanted
        self._advance()

    async def settled(self) -> None:
        """Wait until every seen change is searchable and no chunk waits for a vector. Raises what keeps it."""
        while self._visible < self._wanted:
            if self._failure is not None and self._resting:
                raise self._failure
            await self._advanced.wait()
        await self._backfill.finished()

    def _advance(self) -> None:
        self._advanced.set()
        self._advanced = asyncio.Event()
        self._backfill.wake()

    # --- from hints to changes ------------------------------------------------------------------------------------

    async def _catch_up(self, hints: Hints) -> None:
        if not self._loaded:
            self._receipts = {note.state.path: note for note in await self._store.notes()}
            self._loaded = True
        hinted = {path for hint in hints.paths if (path := self._vault.note_path(hint)) is not None}
        if new_rules := hints.everything or bool(hinted & set(RULE_FILES)):
            self._rules.reload()
        paths = {path for path in hinted if not self._rules.reason(path)}
        if new_rules or len(paths) > MOST_PATHS or self._stand_for_others(paths):
            changes = await asyncio.to_thread(self._all_changes)
        else:
            changes = await asyncio.to_thread(self._changes_at, paths)
        await self._apply(changes)

    def _stand_for_others(self, paths: set[NotePath]) -> bool:
        """Whether one of the paths is, or was, a folder: it stands for every note below it."""
        unknown = paths - self._receipts.keys()
        below = tuple(f"{path}/" for path in unknown)
        folders = (path for path in unknown if os.path.isdir(self._vault.root / path))  # noqa: PTH112  Path's may raise
        return any(folders) or any(known.startswith(below) for known in self._receipts)

    def _all_changes(self) -> list[Change]:
        unlisted: list[str] = []
        files = self._vault.walk(self._rules.current, unlisted.append)
        visible = (file for file in files if not self._rules.reason(file.path))
        # Notes in a folder that cannot be listed are neither there nor gone: they stay as they are, unless excluded.
        unknown = {path for path in self._receipts if path.startswith(tuple(unlisted)) and not self._rules.reason(path)}
        known = {path: self._receipts[path] for path in self._receipts.keys() - unknown}
        return self._changes(visible, known)

    def _changes_at(self, paths: set[NotePath]) -> list[Change]:
        stored: dict[NotePath, IndexedNote] = {}
        files: list[FileStat] = []
        for path in sorted(paths):
            try:
                file = self._vault.stat(path)
            except OSError as error:
                log.warning("Skipped %s: %s", path, error.strerror)
                continue
            if file is not None:
                files.append(file)
            if path in self._receipts:
                stored[path] = self._receipts[path]
        # A clock of whole seconds hides an edit of the same length, so where one was reported the content is asked.
        return self._changes(files, stored, trust_stat=False)

    def _changes(
        self, disk: Iterable[FileStat], receipts: Mapping[NotePath, IndexedNote], *, trust_stat: bool = True
    ) -> list[Change]:
        stored = [receipts[path].state for path in sorted(receipts)]
        changes = diff(disk, stored, self._vault.hash, trust_stat=trust_stat)
        return pair_moves(changes, lambda path: receipts[path].state)

    # --- from changes to rows -------------------------------------------------------------------------------------

    async def _apply(self, changes: Sequence[Change]) -> None:
        removed = [change.path for change in changes if change.kind == "removed"]
        # Newest first: what somebody works on is findable before the archive is.
        written = sorted(
            (change for change in changes if change.kind != "removed"),
            key=lambda change: -change.state.mtime_ns if change.state else 0,
        )
        self._progress = Progress(0, len(written))
        if removed:
            await self._commit([], removed)
        for at in range(0, len(written), BATCH_NOTES):
            batch = written[at : at + BATCH_NOTES]
            updates, vanished = await asyncio.to_thread(self._reader.read, batch, self._receipts)
            await self._commit(updates, vanished)
            self._progress = Progress(at + len(batch), len(written))
            if self._commits >= COMMITS_BEFORE_MAINTENANCE:
                await self._maintain()
        if len(written) > BATCH_NOTES:
            await self._maintain()

    async def _maintain(self) -> None:
        self._commits = 0
        await self._store.maintain()

    async def _commit(self, updates: Sequence[NoteUpdate], removed: Sequence[NotePath]) -> None:
        left = set(removed)
        for update in updates:
            if update.origin is not None:
                left.add(update.origin)
            if update.chunks is not None and update.note.state.path in self._receipts:
                left.add(update.note.state.path)
        try:
            await self._store.replace(updates, removed)
        finally:  # a write that fails half-way may have taken them already
            if left:
                self._on_change(left)
        self._commits += 1
        for path in left:
            self._receipts.pop(path, None)
        for update in updates:
            self._receipts[update.note.state.path] = update.note
        self._backfill.wake()

    # --- notes that could not be read -----------------------------------------------------------------------------

    def _due(self) -> dict[NotePath, float]:
        return {
            path: receipt.indexed_at + RETRY_SECONDS * 2 ** (receipt.attempts - 1)
            for path, receipt in self._receipts.items()
            if receipt.reason and receipt.attempts < MOST_ATTEMPTS
        }

    def _retry_after(self) -> float | None:
        due = self._due()
        return max(0.1, min(due.values()) - self._clock.now()) if due else None

    async def _retry(self) -> None:
        now = self._clock.now()
        again = [path for path, due in self._due().items() if due <= now]
        changes = [Change("modified", path, self._receipts[path].state) for path in again]
        await self._apply(changes)
