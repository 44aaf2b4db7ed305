"""From token bytes to text that can be shown: whole characters only, nothing of a stop text."""

from __future__ import annotations

import codecs


class TextStream:
    """Assembles an answer's text; holds back what may turn out to be the beginning of a stop text.

    ``shown`` counts the characters that were given out.
    """

    def __init__(self, stop: tuple[str, ...]) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop = tuple(text for text in stop if text)
        self._held = ""
        self.stopped = False
        self.shown = 0

    def push(self, data: bytes) -> str:
        """Add a token's bytes; the text that is now certain. Nothing comes after a stop text."""
        if self.stopped:
            return ""
        self._held += self._decoder.decode(data)
        found = [at for text in self._stop if (at := self._held.find(text)) >= 0]
        if found:
            self.stopped = True
            return self._show(min(found))
        keep = max((_overlap(self._held, text) for text in self._stop), default=0)
        return self._show(len(self._held) - keep)

    def finish(self) -> str:
        """The rest: what was held back for a stop text that did not come."""
        if self.stopped:
            return ""
        self._held += self._decoder.decode(b"", final=True)
        return self._show(len(self._held))

    def _show(self, length: int) -> str:
        text, self._held = self._held[:length], self._held[length:]
        self.shown += length
        return text


def _overlap(text: str, stop: str) -> int:
    """The length of the longest proper beginning of ``stop`` that ``text`` ends with."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
