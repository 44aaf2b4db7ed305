"""Citations that are real: numbered places, their wikilinks, and which of them an answer rests on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from urllib.parse import quote

from vaultbridge.core.notes import Chunk, IndexedNote, NotePath, folded, folded_name, link_target, note_name
from vaultbridge.core.search import Citation, Hit
from vaultbridge.vault.formats import MARKDOWN, suffix
from vaultbridge.vault.markdown import parse

MOST_SOURCES = 3
SUPPORT_FLOOR = 0.15
"""The part of an answer that a note must hold to be named as its source without a mark: so few of the answers that are
compared with notes of other questions get one (``docs/benchmarks.md``)."""
NEAR_BEST = 0.8
"""And the part of what the best note holds."""

_NO_OUTLINES: Mapping[NotePath, Sequence[Chunk]] = MappingProxyType({})
_FORBIDDEN_IN_LINK = re.compile(r"[#|^\[\]]|%%")


class LinkWriter:
    """Writes wikilinks as Obsidian does: the shortest text that names one note of the vault only.

    ``names`` has every note by its folded name.
    """

    def __init__(self, names: Mapping[str, Sequence[NotePath]]) -> None:
        self._names = names

    @classmethod
    def among(cls, paths: Iterable[NotePath]) -> LinkWriter:
        """For a vault of these notes."""
        names: dict[str, list[NotePath]] = {}
        for path in paths:
            names.setdefault(folded_name(path), []).append(path)
        return cls(names)

    def named(self, target: str) -> list[NotePath]:
        """The notes that a link's target may mean, however it is spelt: by name, or by the end of their path."""
        target = folded(link_target(target))
        namesakes = self._names.get(target.rsplit("/", 1)[-1], ())
        return [path for path in namesakes if f"/{folded(link_target(path))}".endswith(f"/{target}")]

    def link(self, path: NotePath, heading: str = "") -> str:
        """``[[Note]]``, ``[[Note#Heading]]``, ``[[folder/Note#Heading]]`` or ``[[report.pdf#page=3]]``.

        A file whose name a wikilink cannot spell gets a Markdown link, ``[C#](C%23.md)``.
        """
        # The heading that repeats the note's name says nothing more than the name.
        return self.place(path, linkable(heading) if heading != note_name(path) else "")

    def place(self, path: NotePath, fragment: str) -> str:
        """The same for a place in the note that is known as a link has it: ``Parent#Heading``, ``^block``."""
        name = note_name(path)
        target = name if len(self._names.get(folded(name), ())) < 2 else link_target(path)
        if _FORBIDDEN_IN_LINK.search(target):
            return f"[{name}]({quote(path)}{'#' + quote(fragment) if fragment else ''})"
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


def repeats(chunk: Chunk, note: IndexedNote) -> bool:
    """Whether a chunk's heading stands more than once in its note, so that its name alone may lead elsewhere."""
    headings = [_folded(heading) for heading in note.headings]
    return bool(chunk.heading) and headings.count(_folded(chunk.heading[-1])) > 1


def fragment(chunk: Chunk, note: IndexedNote, outline: Sequence[Chunk] = ()) -> str:
    """What stands behind the ``#`` of the shortest link that leads to a chunk; empty for the note as a whole.

    A heading that stands more than once is named with the nearest one above it that stands once, if that leads to the
    chunk's: Obsidian takes the first that is deeper. Otherwise it is that one, or the note. ``outline`` are the note's
    chunks in order, needed for a heading that ``repeats``. A chunk above all headings has its block id, if it has one
    and not several; only Markdown has any.
    """
    if not chunk.heading:
        if suffix(chunk.note) != MARKDOWN:
            return ""
        blocks = parse(chunk.text, note.state)[0].blocks
        return f"^{blocks[0]}" if len(blocks) == 1 else ""
    path = [heading for heading in map(linkable, chunk.heading) if heading]
    once = [not repeats(replace(chunk, heading=(heading,)), note) for heading in path]
    if not path or not any(once):
        return ""
    start = max(at for at, alone in enumerate(once) if alone)
    place = [path[start], path[-1]] if start < len(path) - 1 else path[start:]
    if len(place) > 1 and not _leads(place, chunk, outline):
        del place[1]
    # The heading that repeats the note's name says nothing more than the name.
    return "#".join(place) if place != [linkable(note_name(chunk.note))] else ""


def _leads(path: Sequence[str], chunk: Chunk, outline: Sequence[Chunk]) -> bool:
    """Whether the first section of a note that a path of headings fits is the one that the chunk stands in."""
    fitting = (at for at, other in enumerate(outline) if _within(path, other.heading))
    first = next(fitting, len(outline))
    section = [other for other in outline[first:] if other.ordinal <= chunk.ordinal]
    begun = sum(other.text.lstrip().startswith("#") for other in section[1:])
    return bool(section) and not begun and all(other.heading == chunk.heading for other in section)


def _within(path: Sequence[str], headings: Sequence[str]) -> bool:
    """Whether the headings of a path follow each other in ``headings``, with or without others between them."""
    left = iter(map(_folded, headings))
    return all(_folded(heading) in left for heading in path)


def _folded(heading: str) -> str:
    return folded(linkable(heading))


def cite(
    hits: Sequence[Hit],
    notes: Mapping[NotePath, IndexedNote],
    writer: LinkWriter,
    first: int = 1,
    outlines: Mapping[NotePath, Sequence[Chunk]] = _NO_OUTLINES,
) -> list[Citation]:
    """Number the hits from ``first``. One whose note or heading the index no longer knows is left out.

    ``outlines`` are all chunks of the notes in which a heading stands twice.
    """
    citations: list[Citation] = []
    for hit in hits:
        chunk = hit.chunk
        heading = chunk.heading[-1] if chunk.heading else ""
        if not is_real(chunk.note, heading, notes):
            continue
        place = fragment(chunk, notes[chunk.note], outlines.get(chunk.note, ()))
        citations.append(
            Citation(
                number=first + len(citations),
                path=chunk.note,
                heading=heading,
                span=chunk.span,
                quote=chunk.text,
                link=writer.place(chunk.note, place),
                fragment=place,
                context=chunk.context,
            )
        )
    return citations


def attribute(
    answer: Mapping[int, float], credit: Mapping[int, float], citations: Sequence[Citation]
) -> list[Citation]:
    """The citations that an answer rests on, best first: all that are marked in it, filled up to three places.

    ``credit`` says how much each marked one holds, ``answer`` which part of the whole text each one does. A place that
    is not marked must hold about as much as the best one, so that an answer that shares too little with every note has
    no source.
    """
    marked = sorted((c for c in citations if c.number in credit), key=lambda c: -credit[c.number])
    floor = max([SUPPORT_FLOOR, *(NEAR_BEST * support for support in answer.values())])
    holding = [c for c in citations if answer.get(c.number, 0.0) >= floor and c not in marked]
    used = list(marked)
    for citation in sorted(holding, key=lambda c: -answer[c.number]):
        places = {used_one.link for used_one in used}
        if len(places) < MOST_SOURCES and citation.link not in places:
            used.append(citation)
    return used
