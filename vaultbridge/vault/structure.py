"""A note's blocks: where each line, each heading and each paragraph of its text stands."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token

from vaultbridge.core.notes import Span
from vaultbridge.vault import frontmatter

# markdown-it and Obsidian's editor both end lines here; str.splitlines knows several more.
_NEWLINE = re.compile(r"\r\n?|\n")


@dataclass(frozen=True, slots=True)
class Block:
    """A top-level block: ``tokens`` are markdown-it's, from its opening to its closing one; ``start`` and ``end`` are
    the characters of its lines."""

    tokens: list[Token]
    start: int
    end: int

    @property
    def kind(self) -> str:
        """What it is, in markdown-it's words (``paragraph``, ``bullet_list``, …), or ``comment`` or ``math``."""
        return self.tokens[0].type.removesuffix("_open")


class Structure:
    """The block structure of a note's text. ``blocks`` are in order and leave only blank lines out."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.yaml, self.body = frontmatter.split(text)
        self._starts = [0, *(newline.end() for newline in _NEWLINE.finditer(text))]
        # markdown-it sees the body only, so its line 0 is this one.
        self._first = bisect_right(self._starts, self.body) - 1
        self.blocks = tuple(self._blocks(_PARSER.parse(text[self.body :])))

    def line(self, number: int) -> int:
        """Where a line of the body, counted from 0 as markdown-it counts them, begins in the text."""
        number += self._first
        return self._starts[number] if number < len(self._starts) else len(self.text)

    def span(self, start: int, end: int) -> Span:
        """A non-empty stretch of the text with its line numbers."""
        return Span(start, end, bisect_right(self._starts, start), bisect_right(self._starts, end - 1))

    def prose(self) -> Iterator[tuple[int, int]]:
        """Every stretch of lines that holds inline Markdown, nested ones too, in order: no code, HTML or comment."""
        seen = -1
        for block in self.blocks:
            for token in block.tokens:
                # Each cell of a table's row is a token on the same line.
                if token.type == "inline" and token.map and token.map[0] > seen:
                    seen = token.map[0]
                    yield self.line(token.map[0]), self.line(token.map[1])

    def _blocks(self, tokens: list[Token]) -> Iterator[Block]:
        opened = 0
        for index, token in enumerate(tokens):
            if token.level == 0 and token.nesting <= 0:
                first, last = tokens[opened].map or (0, 0)
                yield Block(tokens[opened : index + 1], self.line(first), self.line(last))
                opened = index + 1


def _delimited(marker: str, kind: str) -> Callable[[StateBlock, int, int, bool], bool]:
    """A block that begins with a marker at the start of a line and ends with the next one, at the end of a line.

    If the next one stands within a line, or if there is none, the marker means nothing to blocks.
    """

    def rule(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        begin = state.bMarks[start] + state.tShift[start]
        if not state.src.startswith(marker, begin) or state.is_code_block(start):
            return False
        close = state.src.find(marker, begin + len(marker), state.eMarks[end - 1])
        if close < 0:
            return False
        last = bisect_right(state.bMarks, close, start, end) - 1
        if state.src[close + len(marker) : state.eMarks[last]].strip():
            return False
        if not silent:
            token = state.push(kind, "", 0)
            token.map = [start, last + 1]
            state.line = last + 1
        return True

    return rule


def _parser() -> MarkdownIt:
    # Lists nest two levels for each of theirs, and what is nested deeper than the limit would be lost.
    markdown = MarkdownIt("commonmark", {"maxNesting": 100}).enable("table")
    # A reference definition leaves no token, but its text is to be found.
    markdown.disable("reference")
    interrupts: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    for marker, kind in (("%%", "comment"), ("$$", "math")):
        markdown.block.ruler.before("fence", kind, _delimited(marker, kind), interrupts)
    markdown.core.ruler.enableOnly(["normalize", "block"])
    return markdown


_PARSER = _parser()
