"""Which notes stay out of the index, and by which rule."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

from vaultbridge.core.errors import ConfigError
from vaultbridge.core.notes import NotePath
from vaultbridge.vault.content_rules import ContentRules

OWN_FILE = NotePath(".vaultbridgeignore")
OBSIDIAN_FILE = NotePath(".obsidian/app.json")
PLUGIN_FILE = NotePath(".obsidian/plugins/vaultbridge/data.json")
RULE_FILES = (OWN_FILE, OBSIDIAN_FILE, PLUGIN_FILE)
"""The files that the rules are read from: when one of them changes, load the rules again."""

# What models said and what they are told: an answer must not cite itself. These are the places that Text Generator,
# Copilot (since version 3, and before) and Smart Connections have in their default settings; Copilot's chats have a
# tag, too, wherever they are. The user's file brings each of them back: "!/smart-chats/", "!tag:copilot-conversation".
_DEFAULTS = (
    "/textgenerator/",
    "/copilot/copilot-conversations/",
    "/copilot/copilot-custom-prompts/",
    "/copilot/memory/",
    "/copilot/system-prompts/",
    "/copilot-conversations/",
    "/copilot-custom-prompts/",
    "/smart-chats/",
    "/smart prompts/",
    "tag:copilot-conversation",
)
HIDDEN = "hidden"
_PROMPTS = "Prompts"
"""Where our own plugin keeps prompts if its settings do not say."""
_TAG = re.compile(r"(?P<back>!?)tag:#?(?P<name>[^\s#]+)\s*$")


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

    ``content`` are those that ask what is in a note. ``problems`` says what could not be understood in the settings of
    Obsidian and of our plugin, for people to read.
    """

    def __init__(
        self,
        lines: Iterable[str] = (),
        filters: tuple[ObsidianFilter, ...] = (),
        prompts: str = "",
        problems: tuple[str, ...] = (),
    ) -> None:
        told = [(line, f"left out by default: {line.lstrip('/')}") for line in _DEFAULTS]
        if prompts:
            told.append((f"/{_escaped(prompts)}/", f"prompts of the Obsidian plugin: {prompts}/"))
        told += [(line, f"{OWN_FILE}: {line.strip()}") for line in lines]
        patterns, tags = [], dict[str, str]()
        for line, reason in told:
            if found := _TAG.match(line):
                tag = found["name"].strip("/").casefold()
                if found["back"]:
                    tags.pop(tag, None)
                else:
                    tags[tag] = reason
            elif line.strip():  # blank lines count as patterns nowhere, so that an index into these is one into those
                patterns.append((line, reason))
        self._reasons = [reason for _, reason in patterns]
        self._own = GitIgnoreSpec.from_lines(line for line, _ in patterns)
        self._filters = filters
        self._told: dict[NotePath, str] = {}
        self.content = ContentRules(tags)
        self.problems = problems

    @classmethod
    def load(cls, root: Path) -> IgnoreRules:
        """Read a vault's rules; missing files mean no rules.

        Formats: ``.vaultbridgeignore`` is gitignore with lines ``tag:name`` and ``!tag:name`` beside; of Obsidian's
        ``app.json`` the list ``userIgnoreFilters``; of our plugin's ``data.json`` the folder ``promptFolder``.
        Raises ConfigError if ``.vaultbridgeignore`` cannot be read: what it would exclude must not be indexed.
        """
        filters, problems = _obsidian_filters(root / OBSIDIAN_FILE)
        prompts, more = _prompt_folder(root / PLUGIN_FILE)
        hint = f"Correct {OWN_FILE}: UTF-8 text with one gitignore pattern, or tag:name, a line."
        try:
            lines = (root / OWN_FILE).read_text(encoding="utf-8-sig").splitlines()
        except FileNotFoundError:
            lines = []
        except OSError as error:
            raise ConfigError(f"{OWN_FILE} cannot be read: {error.strerror}.", hint) from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{OWN_FILE} is not UTF-8 (byte {error.start}).", hint) from error
        try:
            return cls(lines, filters, prompts, (*problems, *more))
        except ValueError as error:
            raise ConfigError(f"{OWN_FILE} has a pattern that cannot be understood: {error}", hint) from error

    def reason(self, path: NotePath) -> str:
        """Say which rule keeps a note out of the index by its path; empty if none does."""
        if (told := self._told.get(path)) is None:  # each look at the vault asks again for every note
            told = self._told[path] = self._reason(path)
        return told

    def _reason(self, path: NotePath) -> str:
        if any(is_hidden(name) for name in path.split("/")):
            return HIDDEN
        for entry in self._filters:
            if entry.covers(path):
                return f"excluded in Obsidian: {entry.written}"
        result = self._own.check_file(path)
        return self._reasons[result.index] if result.include and result.index is not None else ""


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


def _prompt_folder(file: Path) -> tuple[str, tuple[str, ...]]:
    """Where our plugin keeps its prompts; empty if it is not installed, or keeps none in a folder of their own."""
    if not file.parent.is_dir():
        return "", ()
    try:
        folder = json.loads(file.read_text(encoding="utf-8-sig")).get("promptFolder", _PROMPTS)
    except FileNotFoundError:
        return _PROMPTS, ()
    except (OSError, ValueError, RecursionError, AttributeError):
        return _PROMPTS, (f"{PLUGIN_FILE} cannot be read: the folder of its prompts is not known",)
    return (folder.strip().strip("/") if isinstance(folder, str) else _PROMPTS), ()


def _escaped(folder: str) -> str:
    """A folder's name as a gitignore pattern for it alone."""
    return re.sub(r"([\\*?\[\]])", r"\\\1", folder)
