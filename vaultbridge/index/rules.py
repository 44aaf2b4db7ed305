"""The vault's ignore rules over time: what was excluded stays so while the file that says it cannot be understood."""

from __future__ import annotations

from pathlib import Path

from vaultbridge.core.errors import ConfigError
from vaultbridge.core.notes import NotePath
from vaultbridge.vault.ignore import IgnoreRules


class StandingRules:
    """The rules as they are now. Raises ConfigError if the first ones cannot be read."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._rules = IgnoreRules.load(root)
        self._before: IgnoreRules | None = None
        self._unread = ""

    @property
    def current(self) -> IgnoreRules:
        """The newest rules that could be read; ``reason`` may exclude more."""
        return self._rules

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the files, for people to read."""
        return (*self._rules.problems, *filter(None, [self._unread]))

    def reload(self) -> None:
        """Read the files again. Rules that a new problem took away go on beside the new ones until it is solved."""
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
        """Say which rule keeps a note out of the index; empty if none does."""
        return self._rules.reason(path) or (self._before.reason(path) if self._before else "")
