"""Citations that are real: numbered places, their wikilinks, and the marks in an answer that point to them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from vaultbridge.core.notes import IndexedNote, NotePath
from vaultbridge.core.search import Citation, Hit

MOST_SOURCES = 3
NOTE_SUFFIX = ".md"
"""Every note has it, in whatever case."""
SUPPORT_FLOOR = 0.35
"""The part of an answer's words that a note must hold to be named as its source without a mark."""
MARKED_FLOOR = 0.15
"""The same for a note that the answer marks."""

_FORBIDDEN_IN_LINK = re.compile(r"[#|^\[\]]|%%")
_WORD = re.compile(r"[\u3040-\u9fff\uac00-\ud7a3]|[^\W_]{3,}")


class LinkWriter:
    """Writes wikilinks as Obsidian does: the shortest text that names one note of the vault only."""

    def __init__(self, paths: Iterable[NotePath]) -> None:
        self._namesakes = Counter(note_name(path).casefold() for path in paths)

    def link(self, path: NotePath, heading: str = "") -> str:
        """``[[Note]]``, ``[[Note#Heading]]`` or ``[[folder/Note#Heading]]``.

        A file whose name a wikilink cannot spell gets a Markdown link, ``[C#](C%23.md)``.
        """
        stem = note_name(path)
        target = stem if self._namesakes[stem.casefold()] < 2 else path[: -len(NOTE_SUFFIX)]
        # Obsidian resolves a heading with its link characters written as spaces. The heading that repeats the note's
        # name says nothing more than the name.
        fragment = " ".join(_FORBIDDEN_IN_LINK.sub(" ", heading).split()) if heading != stem else ""
        if _FORBIDDEN_IN_LINK.search(target):
            return f"[{stem}]({quote(path)}{'#' + quote(fragment) if fragment else ''})"
        return f"[[{target}{'#' + fragment if fragment else ''}]]"


def relabelled(link: str, label: str) -> str:
    """The same link, shown as ``label``."""
    if link.startswith("[["):
        return f"{link[:-2]}|{label}]]"
    return f"[{label}{link[link.rindex('](') :]}"


def is_real(path: NotePath, heading: str, notes: Mapping[NotePath, IndexedNote]) -> bool:
    """Whether the index knows the note, and the heading in it."""
    note = notes.get(path)
    return note is not None and (not heading or heading in note.headings)


def cite(
    hits: Sequence[Hit], notes: Mapping[NotePath, IndexedNote], writer: LinkWriter, first: int = 1
) -> list[Citation]:
    """Number the hits from ``first``. One whose note or heading the index no longer knows is left out."""
    citations: list[Citation] = []
    for hit in hits:
        chunk = hit.chunk
        heading = chunk.heading[-1] if chunk.heading else ""
        if not is_real(chunk.note, heading, notes):
            continue
        citations.append(
            Citation(
                number=first + len(citations),
                path=chunk.note,
                heading=heading,
                span=chunk.span,
                quote=chunk.text,
                link=writer.link(chunk.note, heading),
            )
        )
    return citations


class MarkFilter:
    """Passes an answer's stream on and decides on its ``[n]`` marks: known numbers stay (or become links), invented
    ones vanish, and code is left alone (``items[0]`` is no mark). Only what may still become one is held back."""

    _HELD = re.compile(r" ?\[\d{0,3}\Z| \Z|`+\Z|\n+\Z")
    _TOKEN = re.compile(r"(?P<ticks>`+)|(?P<blank>\n{2,})| ?\[(?P<number>\d{1,3})\]")

    def __init__(self, shown: Mapping[int, str]) -> None:
        self._shown = shown
        self._tail = ""
        self._code = ""  # the backticks that opened the code we are in
        self.used: list[int] = []

    def push(self, text: str) -> str:
        """The text that is now certain."""
        text = self._tail + text
        held = self._HELD.search(text)
        cut = held.start() if held else len(text)
        self._tail = text[cut:]
        return self._TOKEN.sub(self._decide, text[:cut])

    def finish(self) -> str:
        """What was still held back."""
        tail, self._tail = self._tail, ""
        return tail

    def _decide(self, token: re.Match[str]) -> str:
        if ticks := token["ticks"]:
            self._code = "" if ticks == self._code else self._code or ticks
        elif token["blank"]:
            if len(self._code) < 3:  # code within a line ends with its paragraph, closed or not; a fence does not
                self._code = ""
        elif not self._code:
            return self._mark(token[0], int(token["number"]))
        return token[0]

    def _mark(self, written: str, number: int) -> str:
        if number not in self._shown:
            return ""
        if number not in self.used:
            self.used.append(number)
        shown = self._shown[number]
        return f" {shown}" if shown and written.startswith(" ") else shown


def attribute(answer: str, citations: Sequence[Citation], marked: Sequence[int]) -> list[Citation]:
    """The citations that an answer rests on, at most three, best first: those that hold most of its words.

    A note that the answer marks needs less support than one that it does not name, but some: small models put marks
    behind anything. An answer that shares too little with every note has no source.
    """
    said = set(_WORD.findall(answer.casefold()))
    support = {citation.number: _support(said, citation.quote) for citation in citations}
    best = max(support.values(), default=0.0)

    def holds(citation: Citation) -> bool:
        floor = MARKED_FLOOR if citation.number in marked else max(SUPPORT_FLOOR, 0.7 * best)
        return support[citation.number] >= floor

    chosen = sorted(filter(holds, citations), key=lambda citation: -support[citation.number])
    first_with_link = {citation.link: citation.number for citation in reversed(chosen)}
    return [citation for citation in chosen if first_with_link[citation.link] == citation.number][:MOST_SOURCES]


def _support(said: set[str], quote: str) -> float:
    return len(said & set(_WORD.findall(quote.casefold()))) / max(len(said), 1)


def note_name(path: str) -> str:
    """A note's name: the last part of its path, without the suffix."""
    return path.rsplit("/", 1)[-1][: -len(NOTE_SUFFIX)]
