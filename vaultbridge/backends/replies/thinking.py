"""Answers that begin with a thought, or hold some, between two marks."""

from __future__ import annotations

from dataclasses import dataclass

from vaultbridge.backends.replies.reading import Reader, Steps
from vaultbridge.core.ports import ReplyReader


@dataclass(frozen=True, slots=True)
class Thoughts:
    """The marks around a thought. ``anywhere``: a thought may stand anywhere, not only before the answer."""

    opening: str
    closing: str
    anywhere: bool = False

    @property
    def marks(self) -> tuple[str, str]:
        """Both."""
        return self.opening, self.closing

    def is_open(self, prompt: str) -> bool:
        """Whether a prompt ends inside of a thought, so that the answer begins there."""
        return prompt.rfind(self.opening) > prompt.rfind(self.closing) and prompt.rstrip().endswith(self.opening)


TAGS = Thoughts("<think>", "</think>")
CHANNEL = Thoughts("<|channel>thought", "<channel|>", anywhere=True)
"""Gemma 4's."""


class ThinkingReader(Reader):
    """Takes the thoughts out, without the white space around them, and hands the rest to the answer's own reader."""

    def __init__(self, thoughts: Thoughts, answer: ReplyReader, *, inside: bool) -> None:
        super().__init__()
        self._thoughts = thoughts
        self._answer = answer
        self._inside = inside
        self._gap = ""

    @property
    def over(self) -> bool:
        """As the answer's reader says."""
        return self._answer.over

    def read(self) -> Steps:
        """Thoughts and answers in turn."""
        source, thoughts = self.source, self._thoughts
        if self._inside:
            yield from self._thought()
        elif not thoughts.anywhere:
            space = yield from source.skip()
            if (yield from source.takes(thoughts.opening)):
                yield from self._thought()
            else:
                self._hand_on(space)
        while thoughts.anywhere and (mark := (yield from source.until(thoughts.marks, self._hand_on))):
            # A closing mark without a thought before it is not the answer's either.
            if mark == thoughts.opening:
                yield from self._thought()
        yield from source.until((), self._hand_on)
        self._pieces += self._answer.finish()

    def _thought(self) -> Steps:
        yield from self.source.skip()
        yield from self.source.until((self._thoughts.closing,), self._think)
        self._gap = ""
        yield from self.source.skip()

    def _think(self, text: str) -> None:
        text = self._gap + text
        thought = text.rstrip()
        self._gap = text[len(thought) :]
        self.say(thought, "reasoning")

    def _hand_on(self, text: str) -> None:
        if text:
            self._pieces += self._answer.push(text)
