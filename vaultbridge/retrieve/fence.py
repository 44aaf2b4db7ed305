"""A fence: the line that opens or closes a block of code in Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE = re.compile(
    r"(?P<lead>[ \t>]*(?:(?:[-*+]|\d{1,3}[.)])[ \t]+)?)"
    r"(?:(?P<ticks>`{3,})(?P<info>[^`\n]*)|(?P<waves>~{3,})(?P<note>.*))"
)


@dataclass(frozen=True, slots=True)
class Fence:
    """What stands in front of the marks (a quote, a list), the marks, and the language behind them."""

    lead: str
    marks: str
    info: str = ""

    @property
    def closing(self) -> str:
        """The line that closes the block."""
        return re.sub(r"[^\s>]", " ", self.lead) + self.marks

    def closed_by(self, other: Fence) -> bool:
        """Whether another fence, further down, ends this one's block."""
        return not other.info and other.marks.startswith(self.marks)


def read_fence(line: str) -> Fence | None:
    """The fence that a line is; None for any other line."""
    found = _LINE.fullmatch(line.rstrip())
    if found is None:
        return None
    return Fence(found["lead"], found["ticks"] or found["waves"], (found["info"] or found["note"] or "").strip())


def fence_after(fence: Fence | None, line: str) -> Fence | None:
    """The fence that is open behind a line, if ``fence`` is open before it."""
    found = read_fence(line)
    if found is None:
        return fence
    if fence is None:
        return found
    return None if fence.closed_by(found) else fence


def open_fence(text: str) -> Fence | None:
    """The fence that is open at the end of a text."""
    fence: Fence | None = None
    for line in text.split("\n"):
        fence = fence_after(fence, line)
    return fence
