"""A note to the chunks that are embedded, searched and cited."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate, pairwise
from zlib import crc32

from vaultbridge.core.notes import Chunk, Heading, Note
from vaultbridge.vault.atoms import Atom, Atoms
from vaultbridge.vault.measure import clip, measure
from vaultbridge.vault.structure import Structure, structure_of

# A chunk and its context stay under the 512 tokens of the smaller embedders, and MIN is worth a vector of its own.
MAX = 340
MIN = 60
MAX_PATH = 64
MAX_PATH_PART = 30
MAX_HEADER = 48

# Before a section's first block, right under its heading, is the worst place to cut.
_UNDER_HEADING = 1000


def chunk(note: Note) -> tuple[Chunk, ...]:
    """Cut a note into chunks, in order.

    A chunk lies in one section, as the pages of a PDF and the groups of a canvas are; a heading without a text of its
    own goes with its first child, and then the child's heading path is the chunk's. A section over ``MAX`` (as
    ``measure`` counts) is cut where its content says, not by filling from the top: so an edit changes its own chunk and
    at times a neighbour. Every character is in exactly one chunk, but for blank lines, front matter and block comments
    (a ``%%`` at the start of a line to one at the end of a line); a comment within a paragraph or list stays in the
    text. ``context`` is title and heading path, and for a later piece of a table its header; the first chunk's also
    names the aliases. No folder names: a moved folder changes no digest.
    """
    structure = structure_of(note.text, note.parts)
    chunks: list[Chunk] = []
    for path, atoms in _sections(note, structure):
        for group in _groups(note.text, atoms):
            start, end = group[0].start, group[-1].end
            chunks.append(
                Chunk(
                    note=note.path,
                    ordinal=len(chunks),
                    span=structure.span(start, end),
                    text=note.text[start:end],
                    heading=path,
                    context=_context(note, path, group[0].header, first=not chunks),
                )
            )
    return tuple(chunks)


def _sections(note: Note, structure: Structure) -> Iterator[tuple[tuple[str, ...], list[Atom]]]:
    """The stretches that chunks may not cross, with their heading paths; block comments end one too."""
    headings = {heading.span.start: heading for heading in note.headings}
    splitter = Atoms(structure, MAX)
    outline: list[Heading] = []
    atoms: list[Atom] = []
    bare = False  # nothing but headings so far
    for block in structure.blocks:
        heading = headings.get(block.start)
        descends = bare and heading is not None and heading.level > outline[-1].level
        if block.kind == "comment" or (heading and not descends):
            yield _texts(outline), atoms
            atoms, bare = [], False
        if block.kind == "comment":
            continue
        found = splitter.of(block)
        if bare and found:
            found[0] = replace(found[0], rank=_UNDER_HEADING)
        atoms += found
        bare = heading is not None and block.kind == "heading"  # a page's heading is not in its text
        if heading:
            outline = [outer for outer in outline if outer.level < heading.level] + [heading]
    yield _texts(outline), atoms


def _texts(outline: list[Heading]) -> tuple[str, ...]:
    return tuple(heading.text for heading in outline)


def _groups(text: str, atoms: list[Atom]) -> Iterator[list[Atom]]:
    """Cut a section's atoms into groups of at most ``MAX``.

    Each place has a priority that depends on the text right after it alone. In that order, a place becomes a cut if the
    group it stands in is too large and neither side gets smaller than ``MIN``. So a change elsewhere moves no cut, as
    long as the groups' sizes allow it: the idea of a treap, whose shape does not depend on the order of edits.
    """
    before = [0, *accumulate(atom.size for atom in atoms)]
    cuts = [0, len(atoms)]
    if before[-1] > MAX:
        order = sorted(range(1, len(atoms)), key=lambda index: _priority(text, atoms[index]))
        # Where two large blocks leave no other choice, a small group is better than one that is too large.
        for least in (MIN, 1):
            for index in order:
                at = bisect_right(cuts, index)
                left, right = before[index] - before[cuts[at - 1]], before[cuts[at]] - before[index]
                if left + right > MAX and min(left, right) >= least:
                    cuts.insert(at, index)
    for first, last in pairwise(cuts):
        if first < last:
            yield atoms[first:last]


def _priority(text: str, atom: Atom) -> tuple[int, int]:
    return atom.rank, crc32(text[atom.start : min(atom.end, atom.start + 64)].encode())


def _context(note: Note, path: tuple[str, ...], header: str, *, first: bool) -> str:
    title = f"{note.title} ({', '.join(note.aliases)})" if first and note.aliases else note.title
    parts = [clip(part, MAX_PATH_PART) for part in (title, *(path[1:] if path[:1] == (note.title,) else path)) if part]
    while len(parts) > 2 and measure(" > ".join(parts)) > MAX_PATH:
        del parts[1]
    return "\n".join(filter(None, [" > ".join(parts), clip(header, MAX_HEADER)]))
