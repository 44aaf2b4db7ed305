"""Keeps the store equal to the vault: look, diff, read, write; then the same for each batch of hints."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, replace

from vaultbridge.core.errors import StoreDamaged, VaultbridgeError
from vaultbridge.core.notes import Change, IndexedNote, NotePath, NoteUpdate
from vaultbridge.core.ports import ChangeSource, ChunkStore, Clock
from vaultbridge.core.search import Freshness
from vaultbridge.index.backfill import Backfill
from vaultbridge.index.look import Look
from vaultbridge.index.note_status import NoteStatus, note_status
from vaultbridge.index.reader import MOST_ATTEMPTS, NoteReader, left_out
from vaultbridge.index.reading import FEW_NOTES, Reading
from vaultbridge.index.rules import StandingRules
from vaultbridge.index.settle import QUIET_SECONDS, STORM_PATHS, Hints, Settler
from vaultbridge.index.sweep import CHECK_SECONDS, Sweep
from vaultbridge.index.verify import Verification, Verifier
from vaultbridge.vault.files import Vault
from vaultbridge.vault.ignore import HIDDEN, RULE_FILES

log = logging.getLogger(__name__)

COMMITS_BEFORE_MAINTENANCE = 32
"""Unindexed rows are searched by a scan, and each commit leaves files: maintenance folds both in."""
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

    ``on_change`` hears of every path whose text left the store: edited, moved away, excluded or deleted. ``pool``
    makes what reads the notes of a large change.
    """

    def __init__(
        self,
        vault: Vault,
        store: ChunkStore,
        source: ChangeSource,
        clock: Clock,
        backfill: Backfill,
        on_change: Callable[[Collection[NotePath]], None] = lambda paths: None,
        pool: Callable[[], Executor] = ThreadPoolExecutor,
    ) -> None:
        self._vault = vault
        self._store = store
        self._source = source
        self._clock = clock
        self._backfill = backfill
        self._on_change = on_change
        self._reading = Reading(NoteReader(vault, clock), pool)
        self._rules = StandingRules(vault.root)
        self._look = Look(vault, self._rules)
        self._sweep = Sweep(clock)
        self._damage = ""
        # Verifying waits for what is being written, and the other way round.
        self._working = asyncio.Lock()
        self._receipts: dict[NotePath, IndexedNote] = {}
        self._excluded = self._exclusions = Counter[str]()
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
    def damage(self) -> str:
        """What of the store could not be read and is made anew; empty if nothing was damaged."""
        return self._store.damage

    @property
    def freshness(self) -> Freshness:
        """How far the index is behind the vault."""
        read, unread = len(self._receipts), self._progress.total - self._progress.done
        share = read / (read + unread) if read or unread else float(self._visible > 0)
        return Freshness(self._wanted, self._visible, self._backfill.pending, share, self._backfill.share)

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

    @property
    def exclusions(self) -> Mapping[str, int]:
        """How many notes each rule kept out at the last look at everything, and those that are left out since."""
        return self._exclusions

    async def status(self, path: NotePath) -> NoteStatus:
        """Whether a note is in the index, and if not, why."""
        receipts = self._receipts if self._loaded else {note.state.path: note for note in await self._store.notes()}
        receipt = receipts.get(path)
        retry_at = _retry_at(receipt) if receipt is not None else None
        return await asyncio.to_thread(note_status, self._vault, self._rules, path, receipt, retry_at)

    async def run(self) -> None:
        """Bring the store up to date, then follow the vault. The observer starts before the first walk."""
        settler = Settler(self._clock)
        self._source.start(settler.hint)
        try:
            hints: Hints | None = _EVERYTHING
            while True:
                await self._attempt(self._catch_up(hints) if hints else self._retry(), settler)
                hints = await self._next(settler)
        finally:
            self._source.stop()

    async def _next(self, settler: Settler) -> Hints | None:
        """What to look at next; None: try again what could not be read."""
        while True:
            due = self._retry_after()
            hints = await settler.next(CHECK_SECONDS if due is None else min(due, CHECK_SECONDS))
            if hints is None and (self._sweep.due or self._store.damage != self._damage):
                return _EVERYTHING
            if hints is not None or (due is not None and due <= CHECK_SECONDS):
                return hints

    async def _attempt(self, work: Coroutine[None, None, None], settler: Settler) -> None:
        self._wanted += 1
        wanted = self._wanted
        try:
            async with self._working:
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
            if isinstance(error, StoreDamaged):
                await self._mend()
            await self._clock.sleep(RETRY_SECONDS)
            self._resting = False
            settler.hint(None)
            return
        self._failure = None
        self._visible = wanted
        self._advance()

    async def sync(self) -> None:
        """Make the store equal to the vault as it is now; work that an earlier run finished is not done again."""
        async with self._working:
            self._loaded = False
            await self._catch_up(_EVERYTHING)
        self._visible = self._wanted
        self._advance()

    async def verify(self) -> Verification:
        """Compare the store with a fresh reading of every note, and write what differs again."""
        verifier = Verifier(self._vault, self._rules, self._reading, self._store)
        async with self._working:
            counts = await self._store.counts()
            vectors = 0 < counts.vectors == counts.chunks
            found = await verifier.compare(vectors=vectors)
            if not found.differences:
                return Verification(found, found)
            await self._renew({difference.note for difference in found.differences})
        if vectors:
            await self._backfill.finished()
        async with self._working:
            return Verification(found, await verifier.compare(vectors=vectors))

    async def settled(self) -> None:
        """Wait until every seen change is searchable and no chunk waits for a vector. Raises what keeps it."""
        while self._visible < self._wanted:
            if self._failure is not None and self._resting:
                raise self._failure
            await self._advanced.wait()
        await self._backfill.finished()

    async def _mend(self) -> None:
        try:
            async with self._working:
                await self._store.mend()
        except (VaultbridgeError, OSError) as error:
            log.error("the index cannot be mended: %s", error)

    def _advance(self) -> None:
        self._advanced.set()
        self._advanced = asyncio.Event()
        # The first question leaves hardly a note to the second, which costs more: this is asked after every batch.
        hidden = (receipt.reason for receipt in self._receipts.values() if receipt.reason and receipt.left_out)
        self._exclusions = self._excluded + Counter(hidden)
        self._backfill.wake()

    # --- from hints to changes ------------------------------------------------------------------------------------

    async def _catch_up(self, hints: Hints) -> None:
        if anew := not self._loaded or self._store.damage != self._damage:
            self._damage = self._store.damage
            self._receipts = {note.state.path: note for note in await self._store.notes()}
            self._loaded = True
        hinted = {path for hint in hints.paths if (path := self._vault.note_path(hint)) is not None}
        new_rules = not hinted.isdisjoint(RULE_FILES)
        everything = hints.everything or new_rules
        # A note that is moved to where notes are left out is excluded, as if a rule had come to it.
        into_hiding = any(self._rules.reason(path) not in ("", HIDDEN) for path in hinted)
        while True:
            if new_rules or (everything and (anew or self._rules.outdated)):
                await self._enforce()
            paths = {path for path in hinted if not self._rules.reason(path)}
            if everything or len(paths) > STORM_PATHS or self._look.stands_for_others(paths, self._receipts):
                self._sweep.done()
                changes, self._excluded = await asyncio.to_thread(self._look.everywhere, self._receipts)
            else:
                changes = await asyncio.to_thread(self._look.at, paths, self._receipts)
            if await self._apply(changes, into_hiding=into_hiding):
                break
            new_rules = everything = True
            await self._clock.sleep(QUIET_SECONDS)  # whoever writes the rules may not be done
        if hints.everything and self._commits:
            await self._maintain()  # what single saves replaced does not stay on the disk for long

    async def _renew(self, paths: set[NotePath]) -> None:
        """Write these notes again, or take them out, whatever the store says of them."""
        self._receipts = {note.state.path: note for note in await self._store.notes()}
        self._loaded = True
        # Out first: of rows that are there twice only one would be replaced. Last good chunks have no other copy.
        last_good = {path for path in paths if path in self._receipts and self._receipts[path].attempts}
        await self._apply([Change("removed", path) for path in sorted(paths - last_good)])
        allowed = {path for path in paths if not self._rules.reason(path)}
        await self._apply(await asyncio.to_thread(self._look.at, allowed, self._receipts))

    # --- from changes to rows -------------------------------------------------------------------------------------

    async def _apply(self, changes: Sequence[Change], *, into_hiding: bool = False) -> bool:
        """Write the changes; False if the rules changed meanwhile, which leaves the rest unwritten.

        ``into_hiding``: what is removed may have been moved to where nothing may be seen.
        """
        removed = [change.path for change in changes if change.kind == "removed"]
        # Newest first: what somebody works on is findable before the archive is.
        written = sorted(
            (change for change in changes if change.kind != "removed"),
            key=lambda change: -change.state.mtime_ns if change.state else 0,
        )
        self._progress = Progress(0, len(written))
        if removed and into_hiding:
            await self._expel([], removed)
        elif removed:
            await self._commit([], removed)
        if len(written) <= FEW_NOTES:
            return await self._write(written)
        with self._backfill.stepping_back():
            done = await self._write(written)
            await self._maintain()
        return done

    async def _write(self, changes: Sequence[Change]) -> bool:
        async with aclosing(self._reading.batches(changes, self._receipts, self._rules.content)) as batches:
            async for batch in batches:
                if self._rules.outdated:
                    return False
                hidden: list[NoteUpdate] = []
                shown: list[NoteUpdate] = []
                for update in batch.updates:
                    (hidden if self._takes_text(update) else shown).append(update)
                if hidden:
                    await self._expel(hidden, [])
                await self._commit(shown, batch.vanished)
                self._progress = Progress(self._progress.done + batch.changes, len(changes))
                if self._commits >= COMMITS_BEFORE_MAINTENANCE:
                    await self._maintain()
        return True

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
        self._backfill.wake(sum(len(update.chunks or ()) for update in updates))

    # --- notes that must not be seen any more ---------------------------------------------------------------------

    async def _enforce(self) -> None:
        """Read the rules anew, and take out at once what they exclude now."""
        self._rules.reload()
        for path, receipt in self._receipts.items():
            if self._rules.is_outdated(receipt):
                self._receipts[path] = replace(receipt, state=replace(receipt.state, sha256=""))  # to be read again
        by_path, by_tag = await asyncio.to_thread(self._excluded_now)
        now = self._clock.now()
        updates = [NoteUpdate(left_out(self._receipts[path].state, rule, now), ()) for path, rule in by_tag.items()]
        await self._expel(updates, by_path)

    def _excluded_now(self) -> tuple[list[NotePath], dict[NotePath, str]]:
        """The indexed notes that the rules keep out by their paths, and those by their tags, with the rule."""
        by_path = [path for path in self._receipts if self._rules.reason(path)]
        tagged = ((path, self._rules.content.tagged(receipt.tags)) for path, receipt in self._receipts.items())
        return by_path, {path: rule for path, rule in tagged if rule and not self._rules.reason(path)}

    def _takes_text(self, update: NoteUpdate) -> bool:
        """Whether an update leaves a note out of which there is something on the disk."""
        before = self._receipts.get(update.origin or update.note.state.path)
        return update.note.left_out and before is not None and not (before.left_out and before.state.sha256)

    async def _expel(self, updates: Sequence[NoteUpdate], removed: Sequence[NotePath]) -> None:
        """Take notes out of the index, and what it had of them off the disk; then write what is left of them.

        Until that is done their receipts have no hash, so that the next start does it if this one comes to nothing.
        """
        rules = {update.origin or update.note.state.path: update.note.reason for update in updates}
        rules |= {path: self._rules.reason(path) or "is no longer there" for path in removed}
        bare = [
            left_out(replace(receipt.state, sha256=""), rule, self._clock.now())
            for path, rule in rules.items()
            if (receipt := self._receipts.get(path)) is not None
        ]
        if bare:
            await self._commit([NoteUpdate(receipt, ()) for receipt in bare], [])
            await self._store.purge()
            await self._commit(updates, removed)

    # --- notes that could not be read -----------------------------------------------------------------------------

    def _due(self) -> dict[NotePath, float]:
        times = ((path, _retry_at(receipt)) for path, receipt in self._receipts.items() if receipt.attempts)
        return {path: due for path, due in times if due is not None}

    def _retry_after(self) -> float | None:
        due = self._due()
        return max(0.1, min(due.values()) - self._clock.now()) if due else None

    async def _retry(self) -> None:
        now = self._clock.now()
        again = [path for path, due in self._due().items() if due <= now]
        changes = [Change("modified", path, self._receipts[path].state) for path in again]
        await self._apply(changes)


def _retry_at(receipt: IndexedNote) -> float | None:
    """When a note that could not be read is read again, in seconds since 1970; None: not before it changes."""
    if not 0 < receipt.attempts < MOST_ATTEMPTS:
        return None
    return receipt.indexed_at + RETRY_SECONDS * 2.0 ** (receipt.attempts - 1)
