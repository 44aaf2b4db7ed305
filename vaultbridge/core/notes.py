"""What a vault is made of: paths, notes, chunks, and what changed."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NewType

NotePath = NewType("NotePath", str)
"""A note's place in its vault: relative, POSIX separators, as the file system spells it."""

_DAY_IN_A_NAME = re.compile(
    r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<mark>[-_. ]?)(?P<month>\d\d)(?P=mark)(?P<day>\d\d)(?!\d)"
    r"|(?P<year_>(?:19|20)\d\d)年(?P<month_>\d\d?)月(?P<day_>\d\d?)日"
)


def link_target(path: str) -> str:
    """What links call a note by its path: without ``.md``, which goes without saying; other files keep their suffix."""
    return path[:-3] if path[-3:].lower() == ".md" else path


def note_name(path: str) -> str:
    """A note's name: the last part of what links call it, ``Bees`` or ``report.pdf``."""
    return link_target(path).rsplit("/", 1)[-1]


def folded(name: str) -> str:
    """A name as Obsidian compares it: neither case nor the way in which accents are written counts."""
    return unicodedata.normalize("NFC", name).casefold()


def folded_name(path: str) -> str:
    """A note's name as links look it up."""
    return folded(note_name(path))


def day_named(path: NotePath) -> float | None:
    """Noon of the day that a note is named after, as daily notes are, in seconds since 1970."""
    found = _DAY_IN_A_NAME.search(path.rsplit("/", 1)[-1])
    if found is None:
        return None
    year, month, day = (int(found[part] or found[f"{part}_"]) for part in ("year", "month", "day"))
    try:
        return datetime(year, month, day, 12).timestamp()
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a note's text: characters ``[start, end)`` are the truth, lines (1-based, both ends
    inclusive) are for people."""

    start: int
    end: int
    start_line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class FileStat:
    """What a look at a file's directory entry tells; ``size`` in bytes."""

    path: NotePath
    mtime_ns: int
    size: int


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as it was when it was read: its stat and the sha256 of its bytes (hexadecimal)."""

    path: NotePath
    mtime_ns: int
    size: int
    sha256: str

    @property
    def stat(self) -> FileStat:
        """The cheap half, comparable with a fresh look at the disk."""
        return FileStat(self.path, self.mtime_ns, self.size)

    @property
    def written(self) -> float:
        """When the note is from: the day that it is named after, or else its mtime, which sync tools set anew."""
        named = day_named(self.path)
        return self.mtime_ns / 1e9 if named is None else named


@dataclass(frozen=True, slots=True)
class Heading:
    """A Markdown heading: level 1 to 6, its text as Obsidian links to it, where its line stands.

    A page of a PDF is one too, ``page=3``, with the page's text as its span; so is a canvas's group, by its label.
    """

    level: int
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Link:
    """A link out of a note, as written: ``[[target#fragment|alias]]``, ``![[embed]]`` or ``[alias](target)``.

    ``fragment`` is a heading, or a block id with its ``^``; empty if there is none.
    """

    target: str
    fragment: str
    alias: str
    embed: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note. ``text`` is the whole file, decoded, or what was read out of a canvas or PDF; every span counts
    its characters.

    ``parts`` are the places where what is read for itself begins, at the start of a line: the cards of a canvas, the
    pages of a PDF. A note without is Markdown as a whole.
    """

    path: NotePath
    title: str
    text: str
    frontmatter: Mapping[str, Any]
    headings: tuple[Heading, ...]
    links: tuple[Link, ...]
    tags: tuple[str, ...]
    aliases: tuple[str, ...]
    blocks: tuple[str, ...]
    state: FileState
    parts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A note's n-th piece. ``text`` is the note's text at ``span``, to the letter; ``context`` (title, heading
    path, a table's header) is what is embedded in front of it."""

    note: NotePath
    ordinal: int
    span: Span
    text: str
    heading: tuple[str, ...]
    context: str

    @property
    def key(self) -> str:
        """The row key: unique, since the ordinal after the last ``#`` is a number."""
        return f"{self.note}#{self.ordinal}"

    @property
    def embedded(self) -> str:
        """The text that the embedder sees."""
        return f"{self.context}\n{self.text}" if self.context else self.text

    @property
    def digest(self) -> str:
        """The key of this chunk's vector: 128 bits of sha256 over what is embedded (hexadecimal)."""
        return hashlib.sha256(self.embedded.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between the disk and the store.

    ``touched``: same content under a new mtime, nothing to parse. ``moved``: same content, was at ``origin``.
    ``state`` is the file as hashed now; None for ``removed``.
    """

    kind: Literal["added", "modified", "moved", "touched", "removed"]
    path: NotePath
    state: FileState | None = None
    origin: NotePath | None = None


@dataclass(frozen=True, slots=True)
class IndexedNote:
    """What the store keeps of a note beside its chunks: the receipt that this state is indexed.

    ``reason`` is empty for a note that is indexed whole; otherwise why it is not, and its chunks are the last good
    ones. ``attempts`` counts failed readings of this very state. ``indexed_at`` in seconds since 1970. Of a note that
    is ``left_out`` for what stands in it, nothing else is kept: its title is its name.
    """

    state: FileState
    title: str
    tags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    headings: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    chunks: int = 0
    indexed_at: float = 0.0
    reason: str = ""
    attempts: int = 0

    @property
    def left_out(self) -> bool:
        """Whether a rule keeps the note out of the index, and no failed reading."""
        return bool(self.reason) and not self.attempts


@dataclass(frozen=True, slots=True)
class Row:
    """A chunk as it lies in the store, but for its text.

    ``digest`` is empty if the row's own text does not have the one that it names: such a row is like no sound one.
    ``embedded``: there is a vector for it under the present fingerprint.
    """

    note: NotePath
    ordinal: int
    span: Span
    digest: str
    embedded: bool


@dataclass(frozen=True, slots=True)
class NoteUpdate:
    """What to write for one note. ``chunks`` None leaves the rows as they are (touched, or unreadable: the last good
    ones stay). ``origin`` is the path whose rows go in the same commit, for a move."""

    note: IndexedNote
    chunks: tuple[Chunk, ...] | None
    origin: NotePath | None = None
