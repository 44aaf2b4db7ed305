"""The common ground of the readers: an answer that is read while it still grows."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator

from vaultbridge.core.dialogue import CallHead, Piece, PieceKind

Steps = Generator[None, None, None]
"""A reader at work; it yields where it cannot go on before more text has come."""
Answer = Generator[None, None, str]
"""The same, with a text as its result."""
Test = Generator[None, None, bool]
"""The same, with a yes or no."""

_SPACES = re.compile(r"\s*")


class Source:
    """The text of an answer as far as it has come, and a place ``at`` in it; ``ended`` when no more comes.

    Whoever reads through these methods gets the same whatever chunks the text came in.
    """

    def __init__(self) -> None:
        self.text = ""
        self.at = 0
        self.ended = False

    @property
    def rest(self) -> str:
        """What has come and is not read yet."""
        return self.text[self.at :]

    def skip(self, pattern: re.Pattern[str] = _SPACES) -> Answer:
        """Read on while ``pattern``, which repeats one class of characters, goes on; what was read."""
        start = self.at
        while True:
            if found := pattern.match(self.text, self.at):
                self.at = found.end()
            if self.at < len(self.text) or self.ended:
                return self.text[start : self.at]
            yield

    def peek(self) -> Answer:
        """The next character, nothing at the end."""
        while self.at == len(self.text) and not self.ended:
            yield
        return self.text[self.at : self.at + 1]

    def takes(self, mark: str) -> Test:
        """Whether ``mark`` comes next; it is read then."""
        while True:
            there = self.text[self.at : self.at + len(mark)]
            if there == mark:
                self.at += len(mark)
                return True
            if self.ended or not mark.startswith(there):
                return False
            yield

    def until(self, marks: Collection[str], show: Callable[[str], None]) -> Answer:
        """Read on to the first of ``marks`` and over it, and show what stands before; which one, if one comes."""
        while True:
            found = min(((at, mark) for mark in marks if (at := self.text.find(mark, self.at)) >= 0), default=None)
            held = 0 if self.ended else max((overlap(self.rest, mark) for mark in marks), default=0)
            end = found[0] if found else len(self.text) - held
            show(self.text[self.at : end])
            self.at = end
            if found:
                self.at += len(found[1])
                return found[1]
            if self.ended:
                return ""
            yield


class Reader(ABC):
    """Implements ``core.ports.ReplyReader``: a format is one generator that reads the source from end to end."""

    def __init__(self) -> None:
        self.source = Source()
        self._pieces: list[Piece] = []
        self._steps: Steps | None = self.read()

    @abstractmethod
    def read(self) -> Steps:
        """Read everything, and say what it is."""

    @property
    def over(self) -> bool:
        """Whether nothing that still comes belongs to the answer."""
        return False

    def push(self, text: str) -> list[Piece]:
        """What is certain now."""
        self.source.text += text
        return self._go_on()

    def finish(self) -> list[Piece]:
        """What was still held back."""
        self.source.ended = True
        return self._go_on()

    def say(self, text: str, kind: PieceKind = "answer", call: CallHead | None = None) -> None:
        """Give out a stretch of the answer; neighbours of one kind become one piece."""
        last = self._pieces[-1] if self._pieces else None
        if last is not None and (last.kind, last.call) == (kind, call):
            self._pieces[-1] = Piece(last.text + text, kind=kind, call=call)
        elif text or call:
            self._pieces.append(Piece(text, kind=kind, call=call))

    def _go_on(self) -> list[Piece]:
        if self._steps is not None:
            try:
                next(self._steps)
            except StopIteration:
                self._steps = None
        pieces, self._pieces = self._pieces, []
        return pieces


class PlainReader:
    """Implements ``core.ports.ReplyReader``: all text is the answer."""

    over = False

    def push(self, text: str) -> list[Piece]:
        """The text."""
        return [Piece(text)] if text else []

    def finish(self) -> list[Piece]:
        """Nothing is ever held back."""
        return []


def overlap(text: str, mark: str) -> int:
    """The length of the longest proper beginning of ``mark`` that ``text`` ends with."""
    return next((size for size in range(min(len(text), len(mark) - 1), 0, -1) if text.endswith(mark[:size])), 0)
