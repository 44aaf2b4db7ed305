"""Citations that are real: numbered places, their wikilinks, and the marks in an answer that point to them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from vaultbridge.chat.stream import InlineFilter
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
        self._namesakes: dict[str, list[NotePath]] = {}
        for path in paths:
            self._namesakes.setdefault(note_name(path).casefold(), []).append(path)

    def named(self, target: str) -> list[NotePath]:
        """The notes that a link's target may mean, whatever its case: by name, or by the end of their path."""
        target = target.casefold().removesuffix(NOTE_SUFFIX)
        namesakes = self._namesakes.get(target.rsplit("/", 1)[-1], [])
        return [path for path in namesakes if f"/{path.casefold()}".endswith(f"/{target}{NOTE_SUFFIX}")]

    def link(self, path: NotePath, heading: str = "") -> str:
        """``[[Note]]``, ``[[Note#Heading]]`` or ``[[folder/Note#Heading]]``.

        A file whose name a wikilink cannot spell gets a Markdown link, ``[C#](C%23.md)``.
        """
        stem = note_name(path)
        target = stem if len(self._namesakes.get(stem.casefold(), ())) < 2 else path[: -len(NOTE_SUFFIX)]
        # The heading that repeats the note's name says nothing more than the name.
        fragment = linkable(heading) if heading != stem else ""
        if _FORBIDDEN_IN_LINK.search(target):
            return f"[{stem}]({quote(path)}{'#' + quote(fragment) if fragment else ''})"
        return f"[[{target}{'#' + fragment if fragment else ''}]]"


def linkable(heading: str) -> str:
    """A heading as a link spells it: Obsidian resolves it with its link characters written as spaces."""
    return " ".join(_FORBIDDEN_IN_LINK.sub(" ", heading).split())


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


class MarkFilter(InlineFilter):
    """Decides on an answer's ``[n]`` marks: known numbers stay (or become links), invented ones vanish.

    Code is left alone: ``items[0]`` is no mark.
    """

    TOKEN = r" ?\[(?P<number>\d{1,3})\]"
    HELD = r" ?\[\d{0,3}| "

    def __init__(self, shown: Mapping[int, str]) -> None:
        super().__init__()
        self._shown = shown
        self.used: list[int] = []

    def replaced(self, token: re.Match[str]) -> str:
        """The mark as it is shown."""
        number = int(token["number"])
        if number not in self._shown:
            return ""
        if number not in self.used:
            self.used.append(number)
        shown = self._shown[number]
        return f" {shown}" if shown and token[0].startswith(" ") else shown


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
