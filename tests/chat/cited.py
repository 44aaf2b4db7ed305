"""Citations and filters of marks for tests."""

from __future__ import annotations

from collections.abc import Mapping, Set

from tests.retrieve.rows import chunk
from vaultbridge.chat.marks import MarkFilter
from vaultbridge.chat.support import Support
from vaultbridge.core.search import Citation


def citation(number: int, quote: str, link: str = "", note: str = "") -> Citation:
    """A citation of a note that is called as its number is."""
    piece = chunk(note or f"{number}.md", quote)
    return Citation(number, piece.note, "", piece.span, quote, link or f"[[{number}]]")


def marks(
    *citations: Citation, own: Mapping[int, str] | None = None, inserted: str = "", gone: Set[str] = frozenset()
) -> MarkFilter:
    """A filter that shows the model's marks as ``own`` says, ``[n]`` by default, and its own in the form ``inserted``,
    if that is one."""
    numbers = [cited.number for cited in citations]
    return MarkFilter(
        citations,
        Support(citations),
        own=own or {number: f"[{number}]" for number in numbers},
        inserted={number: inserted.format(number) for number in numbers},
        gone=gone,
    )
