"""Calls of tools in an answer: what all formats have in common.

A call that names a tool is one from where its arguments begin, and its arguments stream from there on. Whatever turns
out not to be one before that is text, to the letter. White space around calls is theirs.
"""

from __future__ import annotations

import re
import uuid
from abc import abstractmethod
from collections.abc import Callable, Generator, Sequence

from vaultbridge.backends.replies.reading import Reader, Steps, overlap
from vaultbridge.core.dialogue import CallHead, Tool


class NoCall(Exception):
    """What looked like a call is none."""


class CallsReader(Reader):
    """Text and calls in turn. ``tools`` are those that may be called; unless ``parallel``, one call ends the answer."""

    OPENING: re.Pattern[str]
    """Where calls may open."""
    MARKS: tuple[str, ...]
    """The openings of several characters, which chunks may split."""

    def __init__(self, tools: Sequence[Tool], *, parallel: bool = True) -> None:
        super().__init__()
        self.tools = {tool.name: tool for tool in tools}
        self._parallel = parallel
        self._count = 0

    @property
    def over(self) -> bool:
        """Whether the only call that may come is through."""
        return self._steps is None

    @property
    def enough(self) -> bool:
        """Whether no further call may come."""
        return self._count > 0 and not self._parallel

    def read(self) -> Steps:
        """Everything. What is no call when the answer ends in the midst of it is text as a whole."""
        source = self.source
        while opening := (yield from self._to_an_opening()):
            start, source.at = source.at, opening.start()
            try:
                yield from source.skip()
                yield from self.calls()
            except NoCall:
                past = len(source.text) if source.ended and source.at == len(source.text) else opening.end()
                self.say(source.text[start:past])
                source.at = past
                continue
            if self.enough:
                return
            yield from source.skip()

    @abstractmethod
    def calls(self) -> Steps:
        """Read the calls that open here. Raises NoCall if there is none."""

    def begin(self, name: str) -> Callable[[str], None]:
        """From here on it is a call: what takes its arguments. Raises NoCall for a tool that does not exist."""
        if name not in self.tools:
            raise NoCall
        head = CallHead(self._count, f"call_{uuid.uuid4().hex[:16]}", name)
        self._count += 1
        self.say("", "tool_call", head)
        return lambda arguments: self.say(arguments, "tool_call", head)

    def _to_an_opening(self) -> Generator[None, None, re.Match[str] | None]:
        """Say what stands before the next place where a call may open, but for the white space; None at the end."""
        source = self.source
        while True:
            opening = self.OPENING.search(source.text, source.at)
            end = opening.start() if opening else len(source.text)
            if not opening and source.ended:
                self.say(source.rest)
                source.at = end
                return None
            if not opening:
                end -= max(overlap(source.rest, mark) for mark in self.MARKS)
            text = source.text[source.at : end].rstrip()
            self.say(text)
            source.at += len(text)
            if opening:
                return opening
            yield
