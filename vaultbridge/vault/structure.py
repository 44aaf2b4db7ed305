"""A note's blocks: where each line, each heading and each paragraph of its text stands."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

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
    """The block structure of a text. ``blocks`` are in order and leave only blank lines out.

    A text with ``parts``, the places where they begin, each at the start of a line, is Markdown part by part: what is
    not closed in one ends with it. Only a text without has front matter and comments.
    """

    def __init__(self, text: str, parts: tuple[int, ...] = ()) -> None:
        self.text = text
        self.yaml, self.body = ("", 0) if parts else frontmatter.split(text)
        self._starts = [0, *(newline.end() for newline in _NEWLINE.finditer(text))]
        parser = _PART if parts else _NOTE
        places = pairwise((*(parts or (self.body,)), len(text)))
        self.blocks = tuple(block for start, end in places for block in self._blocks(parser, start, end))

    def line(self, number: int) -> int:
        """Where a line of the text, counted from 0 as in the blocks' tokens, begins in it."""
        return self._starts[number] if number < len(self._starts) else len(self.text)

    def span(self, start: int, end: int) -> Span:
        """A stretch of the text with its line numbers."""
        return Span(start, end, bisect_right(self._starts, start), bisect_right(self._starts, max(start, end - 1)))

    def prose(self) -> Iterator[tuple[int, int]]:
        """Every stretch of lines that holds inline Markdown, nested ones too, in order: no code, HTML or comment."""
        seen = -1
        for block in self.blocks:
            for token in block.tokens:
                # Each cell of a table's row is a token on the same line.
                if token.type == "inline" and token.map and token.map[0] > seen:
                    seen = token.map[0]
                    yield self.line(token.map[0]), self.line(token.map[1])

    def _blocks(self, parser: MarkdownIt, start: int, end: int) -> Iterator[Block]:
        first = bisect_right(self._starts, start) - 1
        tokens = parser.parse(self.text[start:end])
        opened = 0
        for index, token in enumerate(tokens):
            if token.map:
                # The parser has seen this stretch only, so its line 0 is another one of the text.
                token.map = [line + first for line in token.map]
            if token.level == 0 and token.nesting <= 0:
                top, bottom = tokens[opened].map or (first, first)
                yield Block(tokens[opened : index + 1], self.line(top), self.line(bottom))
                opened = index + 1


@lru_cache(maxsize=1)
def structure_of(text: str, parts: tuple[int, ...]) -> Structure:
    """A text's structure; the last one is kept, since a note is parsed and then cut, each by its structure."""
    return Structure(text, parts)


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


def _parser(marked: Mapping[str, str]) -> MarkdownIt:
    # Lists nest two levels for each of theirs, and what is nested deeper than the limit would be lost.
    markdown = MarkdownIt("commonmark", {"maxNesting": 100}).enable("table")
    # A reference definition leaves no token, but its text is to be found.
    markdown.disable("reference")
    interrupts: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    for marker, kind in marked.items():
        markdown.block.ruler.before("fence", kind, _delimited(marker, kind), interrupts)
    markdown.core.ruler.enableOnly(["normalize", "block"])
    return markdown


_NOTE = _parser({"%%": "comment", "$$": "math"})
_PART = _parser({"$$": "math"})
