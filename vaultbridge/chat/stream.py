"""Filters of an answer's stream: text goes through in pieces, and however it is cut the outcome is the same."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import ClassVar

_LINES = re.compile(r"[^\n]*\n|[^\n]+")


class TextFilter(ABC):
    """Passes text on, changed where it must be. What was passed on is never taken back.

    ``ended``: the answer is over here, whatever still comes.
    """

    ended: bool = False

    @abstractmethod
    def push(self, text: str) -> str:
        """The text that is now certain."""

    def finish(self) -> str:
        """What was still held back."""
        return ""


class Chain(TextFilter):
    """Several filters, one behind the other."""

    def __init__(self, *filters: TextFilter) -> None:
        self._filters = filters

    def push(self, text: str) -> str:
        """What comes out of the last one."""
        for part in self._filters:
            text = part.push(text)
            self.ended = self.ended or part.ended
        return text

    def finish(self) -> str:
        """What was held back, the rest of each filter passed through those behind it."""
        text = ""
        for part in self._filters:
            text = part.push(text) + part.finish()
        return text


class InlineFilter(TextFilter):
    """Decides on what stands within lines, code excepted; only what may still become a ``TOKEN`` is held back."""

    TOKEN: ClassVar[str]
    """What is decided on: a pattern with named groups."""
    HELD: ClassVar[str]
    """What may be the beginning of one; bounded in length."""

    def __init__(self) -> None:
        self._token = re.compile(rf"(?P<ticks>`+)|(?P<blank>\n{{2,}})|{self.TOKEN}")
        # A run is looked at from its beginning only: a thousand empty lines must not be tried a thousand times.
        self._held = re.compile(rf"(?:{self.HELD}|(?<!`)`+|(?<!\n)\n+)\Z")
        self._tail = ""
        self._code = ""  # the backticks that opened the code we are in

    def push(self, text: str) -> str:
        """The text that is now certain."""
        text = self._tail + text
        held = self._held.search(text)
        cut = held.start() if held else len(text)
        self._tail = text[cut:]
        return self._decided(text[:cut])

    def finish(self) -> str:
        """What was still held back."""
        tail, self._tail = self._tail, ""
        return self._decided(tail)

    @abstractmethod
    def replaced(self, token: re.Match[str]) -> str:
        """What stands in a token's place."""

    def passed(self, text: str) -> str:
        """What becomes of everything that is no token."""
        return text

    def _decided(self, text: str) -> str:
        shown: list[str] = []
        at = 0
        for token in self._token.finditer(text):
            shown += self.passed(text[at : token.start()]), self._read(token)
            at = token.end()
        return "".join([*shown, self.passed(text[at:])])

    def _read(self, token: re.Match[str]) -> str:
        if ticks := token["ticks"]:
            self._code = "" if ticks == self._code else self._code or ticks
        elif token["blank"]:
            if len(self._code) < 3:  # code within a line ends with its paragraph, closed or not; a fence does not
                self._code = ""
        elif not self._code:
            return self.replaced(token)
        return self.passed(token[0])


class LineFilter(TextFilter):
    """Decides on whole lines; only one that may still be ``wanted`` is held back, the others are let go at once."""

    def __init__(self) -> None:
        self._line = ""
        self._inside = False  # a line that was let go before its end

    def push(self, text: str) -> str:
        """The text that is now certain."""
        shown: list[str] = []
        for part in _LINES.findall(text):
            if self.ended:
                break
            if self._inside:
                shown.append(part)
            else:
                self._line += part
                if part.endswith("\n") or not self.wanted(self._line):
                    shown.append(self._let_go())
            self._inside = not part.endswith("\n") and not self._line
        return "".join(shown)

    def finish(self) -> str:
        """What was still held back."""
        return self._let_go() if self._line and not self.ended else ""

    @abstractmethod
    def wanted(self, beginning: str) -> bool:
        """Whether the beginning of a line must be held until more of it is known."""

    @abstractmethod
    def decided(self, line: str) -> str:
        """What stands in the place of a whole line, its line end with it, or of a beginning that is not wanted."""

    def _let_go(self) -> str:
        line, self._line = self._line, ""
        return self.decided(line)
