"""Which notes stay out of the index, and by which rule."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

from vaultbridge.core.errors import ConfigError
from vaultbridge.core.notes import NotePath

OWN_FILE = NotePath(".vaultbridgeignore")
OBSIDIAN_FILE = NotePath(".obsidian/app.json")
RULE_FILES = (OWN_FILE, OBSIDIAN_FILE)
"""The files that the rules are read from: when one of them changes, load the rules again."""

# Prompts and templates of the Text Generator plugin; "!textgenerator/" in the user's file brings them back.
_DEFAULTS = ("/textgenerator/",)


def is_hidden(name: str) -> bool:
    """Whether a file's or folder's name keeps it, and what is in it, out of Obsidian: ``.obsidian``, ``.trash``, …."""
    return name.startswith(".")


@dataclass(frozen=True, slots=True)
class ObsidianFilter:
    """An entry of Obsidian's excluded files: ``/…/`` is a regular expression, anything else the beginning of a path."""

    written: str
    pattern: re.Pattern[str] | None

    def covers(self, path: NotePath) -> bool:
        """Whether the path is excluded."""
        return bool(self.pattern.search(path)) if self.pattern else path.startswith(self.written)


class IgnoreRules:
    """The rules of one vault, as they were when they were loaded.

    ``problems`` says what could not be understood in Obsidian's settings, for people to read.
    """

    def __init__(self, lines: tuple[str, ...], filters: tuple[ObsidianFilter, ...], problems: tuple[str, ...]) -> None:
        # Blank lines count as patterns nowhere, so that an index into the patterns is one into the lines.
        self._lines = (*_DEFAULTS, *(line for line in lines if line.strip()))
        self._own = GitIgnoreSpec.from_lines(self._lines)
        self._filters = filters
        self.problems = problems

    @classmethod
    def load(cls, root: Path) -> IgnoreRules:
        """Read a vault's rules; missing files mean no rules.

        Formats: gitignore for ``.vaultbridgeignore``; for Obsidian's ``app.json`` the list ``userIgnoreFilters``.
        Raises ConfigError if ``.vaultbridgeignore`` cannot be read: what it would exclude must not be indexed.
        """
        filters, problems = _obsidian_filters(root / OBSIDIAN_FILE)
        hint = f"Correct {OWN_FILE}: UTF-8 text with one gitignore pattern a line."
        try:
            lines = tuple((root / OWN_FILE).read_text(encoding="utf-8-sig").splitlines())
            return cls(lines, filters, problems)
        except FileNotFoundError:
            return cls((), filters, problems)
        except OSError as error:
            raise ConfigError(f"{OWN_FILE} cannot be read: {error.strerror}.", hint) from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{OWN_FILE} is not UTF-8 (byte {error.start}).", hint) from error
        except ValueError as error:
            raise ConfigError(f"{OWN_FILE} has a pattern that cannot be understood: {error}", hint) from error

    def reason(self, path: NotePath) -> str:
        """Say which rule keeps a note out of the index; empty if none does."""
        if any(is_hidden(name) for name in path.split("/")):
            return "hidden"
        for entry in self._filters:
            if entry.covers(path):
                return f"excluded in Obsidian: {entry.written}"
        result = self._own.check_file(path)
        if result.include and result.index is not None:
            if result.index < len(_DEFAULTS):
                return f"prompt templates: {_DEFAULTS[result.index].lstrip('/')}"
            return f"{OWN_FILE}: {self._lines[result.index].strip()}"
        return ""


def _obsidian_filters(file: Path) -> tuple[tuple[ObsidianFilter, ...], tuple[str, ...]]:
    try:
        settings = json.loads(file.read_text(encoding="utf-8-sig"))
        entries = settings.get("userIgnoreFilters") or []
    except FileNotFoundError:
        return (), ()
    except (OSError, ValueError, RecursionError, AttributeError):
        return (), (f"{OBSIDIAN_FILE} cannot be read: its excluded files are not known",)
    if not isinstance(entries, list):
        return (), (f"{OBSIDIAN_FILE}: userIgnoreFilters is not a list",)
    filters, problems = [], []
    for entry in entries:
        try:
            filters.append(_obsidian_filter(entry))
        except (re.error, TypeError, ValueError):
            problems.append(f"{OBSIDIAN_FILE}: the excluded file {entry!r} cannot be understood")
    return tuple(filters), tuple(problems)


def _obsidian_filter(entry: object) -> ObsidianFilter:
    if not isinstance(entry, str) or not entry:
        raise ValueError(entry)
    is_pattern = len(entry) > 2 and entry.startswith("/") and entry.endswith("/")
    return ObsidianFilter(entry, re.compile(entry[1:-1]) if is_pattern else None)
