"""Atoms: the pieces of a note's blocks that no chunk cuts, and how good a place each is for a chunk to begin."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from markdown_it.tree import SyntaxTreeNode

from vaultbridge.vault.inline import INLINE
from vaultbridge.vault.measure import WIDE, measure, reach
from vaultbridge.vault.structure import Block, Structure

_CONTAINERS = {"bullet_list", "ordered_list", "list_item", "blockquote"}
_BLANK_LINES = re.compile(r"(?:[^\S\r\n]*(?:\r\n?|\n))*")
_LINE_END = re.compile(r"\r\n?|\n")
# Nothing need follow a full stop of the width of Chinese and Japanese; white space must follow ours.
_SENTENCE_END = re.compile(r"(?:[。！？；…]+[”’」』）】》]*|[.!?][\"'”’)\]]*(?=\s))\s*")
_WORD_END = re.compile(rf"\s+|(?=[{WIDE}])")


@dataclass(frozen=True, slots=True)
class Atom:
    """A stretch of text that stays whole, without outer blank lines; ``size`` as ``measure`` counts.

    ``rank`` says how deep in its block it begins, 0 for the block's start: the lower, the better a place to cut in
    front of it. ``header`` is the first row of the table of which it is a later part.
    """

    start: int
    end: int
    size: int
    rank: int
    header: str = ""


class Atoms:
    """Takes blocks apart as far as their parts measure more than ``limit``, along their structure."""

    def __init__(self, structure: Structure, limit: int) -> None:
        self._structure = structure
        self._text = structure.text
        self._limit = limit

    def of(self, block: Block) -> list[Atom]:
        """The atoms of a block, in order; together they are its text without blank lines.

        Lists fall into items, quotes into blocks, tables into rows, code into lines, prose into sentences; what is
        still too long falls into words, and at last into stretches of characters.
        """
        if self._fits(whole := self._whole(block.start, block.end, 0)):
            return whole
        [node] = SyntaxTreeNode(block.tokens).children
        return list(self._node(node, block.start, block.end, 0))

    def _fits(self, whole: list[Atom]) -> bool:
        return all(atom.size <= self._limit for atom in whole)

    def _node(self, node: SyntaxTreeNode, start: int, end: int, rank: int) -> Iterator[Atom]:
        if self._fits(whole := self._whole(start, end, rank)):
            yield from whole
        elif node.type in _CONTAINERS and node.children:
            # Cutting where the children begin, and nowhere else, loses no character between them.
            cuts = [self._structure.line(child.map[0]) for child in node.children[1:] if child.map]
            for child, (first, last) in zip(node.children, _between(start, cuts, end), strict=True):
                yield from self._node(child, first, last, rank + (first > start))
        elif node.type == "table":
            rows = [self._structure.line(row.map[0]) for part in node.children for row in part.children if row.map]
            header = " ".join(_LINE_END.split(self._text[start:end], 1)[0].split())
            # The header, the line under it and the first row stay together.
            for atom in self._cut(start, rows[2:], end, rank):
                yield replace(atom, header=header) if atom.start > start else atom
        elif node.type in ("paragraph", "heading"):
            yield from self._cut(start, self._outside(_SENTENCE_END, start, end), end, rank)
        else:
            yield from self._cut(start, (line.end() for line in _LINE_END.finditer(self._text, start, end)), end, rank)

    def _cut(self, start: int, cuts: Iterable[int], end: int, rank: int) -> Iterator[Atom]:
        for first, last in _between(start, cuts, end):
            depth = rank + (first > start)
            yield from (
                whole if self._fits(whole := self._whole(first, last, depth)) else self._words(first, last, depth)
            )

    def _words(self, start: int, end: int, rank: int) -> Iterator[Atom]:
        """Fill atoms from the left: in a text without structure no place to cut is better than another."""
        ends = list(self._outside(_WORD_END, start, end))
        while start < end:
            stop = reach(self._text, start, end, self._limit)
            at = bisect_right(ends, stop) - 1
            if stop < end and at >= 0 and ends[at] > start:
                stop = ends[at]
            yield from self._whole(start, stop, rank)
            start = stop

    def _whole(self, start: int, end: int, rank: int) -> list[Atom]:
        """The stretch as one atom; none if it is blank."""
        end = start + len(self._text[start:end].rstrip())
        if blank := _BLANK_LINES.match(self._text, start, end):
            start = blank.end()
        return [Atom(start, end, measure(self._text[start:end]), rank)] if start < end else []

    def _outside(self, ends: re.Pattern[str], start: int, end: int) -> Iterator[int]:
        """Where a pattern's matches end, except inside a link, code or math."""
        constructs = INLINE.finditer(self._text, start, end)
        construct = next(constructs, None)
        for found in ends.finditer(self._text, start, end):
            while construct and construct.end() <= found.end():
                construct = next(constructs, None)
            if not construct or found.end() <= construct.start():
                yield found.end()


def _between(start: int, cuts: Iterable[int], end: int) -> Iterator[tuple[int, int]]:
    for cut in cuts:
        if start < cut < end:
            yield start, cut
            start = cut
    yield start, end
