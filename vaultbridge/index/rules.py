"""The vault's ignore rules over time: what was excluded stays so while the file that says it cannot be understood."""

from __future__ import annotations

from pathlib import Path

from vaultbridge.core.errors import ConfigError
from vaultbridge.core.notes import IndexedNote, NotePath
from vaultbridge.vault.content_rules import ContentRules
from vaultbridge.vault.ignore import RULE_FILES, IgnoreRules


class StandingRules:
    """The rules as they are now. Raises ConfigError if the first ones cannot be read."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen = self._look()
        self._rules = IgnoreRules.load(root)
        self._before: IgnoreRules | None = None
        self._unread = ""

    @property
    def current(self) -> IgnoreRules:
        """The newest rules that could be read; ``reason`` may exclude more."""
        return self._rules

    @property
    def content(self) -> ContentRules:
        """Those that ask what is in a note."""
        return self._rules.content

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the files, for people to read."""
        return (*self._rules.problems, *filter(None, [self._unread]))

    @property
    def outdated(self) -> bool:
        """Whether one of the files is no longer as it was when the rules were loaded."""
        return self._seen != self._look()

    def reload(self) -> None:
        """Read the files again. Rules that a new problem took away go on beside the new ones until it is solved."""
        self._seen = self._look()  # before the reading: what is written meanwhile is read again
        try:
            rules = IgnoreRules.load(self._root)
        except ConfigError as error:
            self._unread = str(error)
            return
        self._unread = ""
        if not rules.problems:
            self._before = None
        elif self._before is None and not set(rules.problems) <= set(self._rules.problems):
            self._before = self._rules
        self._rules = rules

    def reason(self, path: NotePath) -> str:
        """Say which rule keeps a note out of the index by its path; empty if none does."""
        return self._rules.reason(path) or (self._before.reason(path) if self._before else "")

    def is_outdated(self, note: IndexedNote) -> bool:
        """Whether a note was left out by a rule for what stands in it that is none of these."""
        return note.left_out and note.reason not in self.content.reasons

    def _look(self) -> list[tuple[int, int, int] | None]:
        return [_stamp(self._root / file) for file in RULE_FILES]


def _stamp(file: Path) -> tuple[int, int, int] | None:
    """What changes when a file is written; None if it is not there."""
    try:
        seen = file.stat()
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino
