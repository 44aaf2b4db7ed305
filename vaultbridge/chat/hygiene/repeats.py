"""A model that goes round in circles."""

from __future__ import annotations

import re

from vaultbridge.chat.stream import TextFilter

MOST_EQUAL_LINES = 2

_BLANK_LINES = re.compile(r"\A(?:[ \t\r]*\n)+")
_LETTER = re.compile(r"[^\W\d_]")


class RepeatFilter(TextFilter):
    """Ends the answer at the third equal line in a row, which is not shown; blank lines between them do not count.

    Lines without a letter may repeat: rules, rows of empty cells, closing brackets.
    """

    def __init__(self) -> None:
        self._line = ""  # what was shown of the line we are in
        self._last = ""
        self._equal = 0  # how many lines like the last one were shown in a row
        self._held = ""  # what follows them, as long as it may be one more

    def push(self, text: str) -> str:
        """The text that is now certain."""
        shown: list[str] = []
        while text and not self.ended:
            if self._equal < MOST_EQUAL_LINES:
                part, newline, text = text.partition("\n")
                shown.append(part + newline)
                self._line += part
                if newline:
                    self._count()
            else:
                self._held, text = self._held + text, ""
                text = self._compared()
        return "".join(shown)

    def finish(self) -> str:
        """What was still held back, if it is not the third line."""
        line, _ = self._next_line()
        return "" if self.ended or line.rstrip() == self._last else self._held

    def _count(self) -> None:
        line, self._line = self._line.rstrip(), ""
        if line:
            self._equal = self._equal + 1 if line == self._last else 1
            self._last = line
        if not _LETTER.search(self._last):
            self._equal = 0

    def _compared(self) -> str:
        """What of the held text is certain not to be one more line."""
        line, newline = self._next_line()
        if newline and line.rstrip() == self._last:
            self.ended = True
            return ""
        if not newline and (not line.strip() or self._last.startswith(line) or line.rstrip() == self._last):
            return ""
        held, self._held, self._equal = self._held, "", 0
        return held

    def _next_line(self) -> tuple[str, str]:
        """The first held line that is not blank, as far as it is known, and its line end."""
        line, newline, _ = _BLANK_LINES.sub("", self._held, count=1).partition("\n")
        return line, newline
