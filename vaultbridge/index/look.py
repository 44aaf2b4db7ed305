"""What differs between the vault's files and what is known of them: everywhere, or at some paths."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Set

from vaultbridge.core.notes import Change, FileStat, FileState, IndexedNote, NotePath
from vaultbridge.index.diff import diff, pair_moves
from vaultbridge.index.reader import MOST_ATTEMPTS
from vaultbridge.index.rules import StandingRules
from vaultbridge.vault.files import Vault

log = logging.getLogger(__name__)

Receipts = Mapping[NotePath, IndexedNote]


class Look:
    """Looks at the files of one vault that its rules let in. Blocking."""

    def __init__(self, vault: Vault, rules: StandingRules) -> None:
        self._vault = vault
        self._rules = rules

    def stands_for_others(self, paths: Set[NotePath], receipts: Receipts) -> bool:
        """Whether one of the paths is, or was, a folder: it stands for every note below it."""
        if not (unknown := paths - receipts.keys()):
            return False
        below = tuple(f"{path}/" for path in unknown)
        folders = (path for path in unknown if os.path.isdir(self._vault.root / path))  # noqa: PTH112  Path's may raise
        return any(folders) or any(known.startswith(below) for known in receipts)

    def everywhere(self, receipts: Receipts) -> tuple[list[Change], Counter[str]]:
        """The changes in the whole vault, and how many notes each rule kept out."""
        unlisted: list[str] = []
        excluded: list[str] = []
        visible = []
        for file in self._vault.walk(self._rules.current, unlisted.append, excluded.append):
            if rule := self._rules.reason(file.path):
                excluded.append(rule)
            else:
                visible.append(file)
        # Notes in a folder that cannot be listed are neither there nor gone: they stay as they are, unless excluded.
        unknown = {path for path in receipts if path.startswith(tuple(unlisted)) and not self._rules.reason(path)}
        known = {path: receipts[path] for path in receipts.keys() - unknown}
        changes = self._changes(visible, known, is_new=not receipts)
        return [change for change in changes if not _is_given_up(change, receipts)], Counter(excluded)

    def at(self, paths: Set[NotePath], receipts: Receipts) -> list[Change]:
        """The changes at some paths; one that cannot be looked at is left as it is."""
        stored: dict[NotePath, IndexedNote] = {}
        files: list[FileStat] = []
        for path in sorted(paths):
            try:
                file = self._vault.stat(path)
            except OSError as error:
                log.warning("Skipped %s: %s", path, error.strerror)
                continue
            if file is not None and self._vault.lists(path):
                files.append(file)
            if path in receipts:
                stored[path] = receipts[path]
        # A clock of whole seconds hides an edit of the same length, so where one was reported the content is asked.
        return self._changes(files, stored, is_new=not receipts, trust_stat=False)

    def _changes(
        self, disk: Iterable[FileStat], receipts: Receipts, *, is_new: bool, trust_stat: bool = True
    ) -> list[Change]:
        if is_new:
            # What a file holds tells a move from a new note. Where nothing is known yet, the reader alone opens it.
            return [Change("added", file.path, FileState(file.path, file.mtime_ns, file.size, "")) for file in disk]
        stored = [receipts[path].state for path in sorted(receipts)]
        changes = diff(disk, stored, self._vault.hash, trust_stat=trust_stat)
        return pair_moves(changes, lambda path: receipts[path].state)


def _is_given_up(change: Change, receipts: Receipts) -> bool:
    """Whether it is a note that could not be read often enough, and that cannot be read now."""
    receipt = receipts.get(change.path)
    if receipt is None or change.state is None or change.state.sha256:
        return False
    return receipt.state == change.state and receipt.attempts >= MOST_ATTEMPTS
