"""Makes one passage of neighbouring chunks that were found together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from vaultbridge.core.notes import Chunk, NotePath, Span
from vaultbridge.core.search import Hit
from vaultbridge.vault.measure import measure

LONGEST = 600
"""What a passage measures at most: under twice the largest chunk."""


def joined(hits: Sequence[Hit]) -> list[Hit]:
    """Join hits whose chunks follow each other in one section; each passage stands where its best hit stood.

    Its text is the note's text at its span, to the letter: where what lies between two chunks is not known, they stay
    apart.
    """
    by_note: defaultdict[NotePath, list[Hit]] = defaultdict(list)
    for hit in hits:
        by_note[hit.chunk.note].append(hit)
    passages: list[Hit] = []
    for found in by_note.values():
        group: list[Hit] = []
        for hit in sorted(found, key=lambda hit: hit.chunk.ordinal):
            whole = joint(group[-1].chunk, hit.chunk) if group else None
            if group and whole is not None:
                group[-1] = _better(group[-1], hit, whole)
            else:
                group.append(hit)
        passages += group
    order = {hit.chunk.note: place for place, hit in reversed(list(enumerate(hits)))}
    return sorted(passages, key=lambda hit: (-hit.score, order[hit.chunk.note], hit.chunk.ordinal))


def section(chunk: Chunk, chunks: Sequence[Chunk]) -> Chunk:
    """The whole section that a chunk stands in, if it fits; otherwise the chunk. ``chunks`` are all of the note's."""
    start = end = chunk.ordinal
    by_ordinal = {piece.ordinal: piece for piece in chunks}
    whole: Chunk | None = by_ordinal.get(chunk.ordinal)
    if whole is None or whole.text != chunk.text:  # the note was written anew since the search
        return chunk
    while (before := by_ordinal.get(start - 1)) is not None and before.heading == chunk.heading:
        start -= 1
    while (after := by_ordinal.get(end + 1)) is not None and after.heading == chunk.heading:
        end += 1
    whole = by_ordinal[start]
    for ordinal in range(start + 1, end + 1):
        whole = joint(whole, by_ordinal[ordinal])
        if whole is None:
            return chunk
    return whole


def joint(first: Chunk, second: Chunk) -> Chunk | None:
    """Two chunks of a note as one, if they are neighbours in one section and what lies between them is known."""
    apart = second.span.start - first.span.end
    lines = second.span.start_line - first.span.end_line
    # As many characters as line breaks between them: they are line breaks, and nothing else.
    if first.heading != second.heading or apart < 0 or apart != lines or "\r" in first.text + second.text:
        return None
    text = f"{first.text}{chr(10) * apart}{second.text}"
    if measure(text) > LONGEST:
        return None
    span = Span(first.span.start, second.span.end, first.span.start_line, second.span.end_line)
    return replace(first, span=span, text=text)


def _better(one: Hit, other: Hit, chunk: Chunk) -> Hit:
    best, rest = (one, other) if one.score >= other.score else (other, one)
    return Hit(chunk, best.score, {**rest.lanes, **best.lanes})
