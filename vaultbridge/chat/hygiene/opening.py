"""What a model puts in front of its answer."""

from __future__ import annotations

import re
from collections.abc import Callable

from vaultbridge.chat.stream import TextFilter
from vaultbridge.retrieve.fence import Fence

Part = Callable[[str, bool], int | None]
"""How many characters of a text's beginning are no answer; None as long as that depends on what follows.

The flag says that nothing follows. White space in front has been taken off. What a part says of a beginning must hold
for every longer one.
"""

LONGEST_FRONT_MATTER = 2000
LONGEST_ECHO = 300
SHORTEST_ECHO = 4

_PROPERTY = re.compile(r"\w[\w .-]{0,60}:(?:[ \t].*)?")
_FURTHER = re.compile(r"[ \t]+\S.*|-(?:[ \t].*)?|#.*|")
_MAY_BE_PROPERTY = re.compile(r"\w[\w .-]{0,60}(?::(?:[ \t].*)?)?|")
_MAY_BE_FURTHER = re.compile(r"[ \t].*|-(?:[ \t].*|--?\s*)?|#.*|\.{1,3}\s*|")
_FENCE_LINE = re.compile(r"(?P<marks>`{3,9}|~{3,9})(?P<info>[^`\n]{0,40})\n")
_MAY_BE_FENCE_LINE = re.compile(r"`{1,9}[^`\n]{0,40}|~{1,9}[^`\n]{0,40}")


class OpeningFilter(TextFilter):
    """Holds an answer's beginning until it is certain which ``parts`` stand there, and leaves them out.

    What follows a comma begins with a capital letter then.
    """

    def __init__(self, *parts: Part) -> None:
        self._parts = parts
        self._held = ""
        self._decided = self._cut = self._comma = False

    def push(self, text: str) -> str:
        """The text that is now certain."""
        if self._decided:
            return text
        self._held += text
        return self._read(final=False)

    def finish(self) -> str:
        """What was still held back."""
        return "" if self._decided else self._read(final=True)

    def _read(self, *, final: bool) -> str:
        while True:
            text = self._held.lstrip()
            if not text and not final:
                return ""
            length = self._part(text, final) if text else 0
            if length is None:
                return ""
            if not length:
                break
            self._held, self._cut, self._comma = text[length:], True, text[length - 1] == ","
        held, self._held, self._decided = self._held, "", True
        if self._comma:
            text = text[:1].upper() + text[1:]
        return text if self._cut else held

    def _part(self, text: str, final: bool) -> int | None:
        for part in self._parts:
            if (length := part(text, final)) != 0:
                return length
        return 0


def front_matter(text: str, final: bool) -> int | None:
    """A block of YAML between two ``---`` lines. A line without properties below it is a horizontal rule."""
    lines = text[:LONGEST_FRONT_MATTER].split("\n")
    rule = lines[0].rstrip()
    if len(lines) == 1:
        return None if not final and "---".startswith(rule) else 0
    if rule != "---":
        return 0
    length = len(lines[0]) + 1
    for number, line in enumerate(lines[1:-1], start=1):
        length += len(line) + 1
        if line.rstrip() in ("---", "..."):
            return length if number > 1 else 0
        if not (_PROPERTY.fullmatch(line.rstrip()) or (number > 1 and _FURTHER.fullmatch(line.rstrip()))):
            return 0
    last = lines[-1]
    if len(text) >= LONGEST_FRONT_MATTER:
        return 0
    if final:
        return len(text) if len(lines) > 2 and last.rstrip() in ("---", "...") else 0
    return None if _MAY_BE_PROPERTY.fullmatch(last) or (len(lines) > 2 and _MAY_BE_FURTHER.fullmatch(last)) else 0


def echo_of(question: str) -> Part:
    """The question, repeated on a line of its own, marked up or not."""
    asked = question.strip('#>*_"“” \t\r\n').lower()

    def echo(text: str, final: bool) -> int | None:
        if not SHORTEST_ECHO <= len(asked) <= LONGEST_ECHO:
            return 0
        bare = text.lstrip('#>*_"“ \t')
        said = bare[: len(asked)].lower()
        if said != asked:
            return None if not final and len(bare) < len(asked) and asked.startswith(said) else 0
        rest = bare[len(asked) :].lstrip('*_"” \t\r')
        if rest.startswith("\n"):
            return len(text) - len(rest) + 1
        return None if not rest and not final else 0

    return echo


def repeated(fence: Fence, empty: bool) -> Part:
    """A fence that is open already, opened again. A bare one closes it, unless it is ``empty`` so far."""

    def opening(text: str, final: bool) -> int | None:
        if found := _FENCE_LINE.match(text):
            again = found["marks"].startswith(fence.marks[0]) and (empty or bool(found["info"].strip()))
            return found.end() if again else 0
        return None if not final and _MAY_BE_FENCE_LINE.fullmatch(text) else 0

    return opening
