"""One answer in the making, as its reader will see it: token bytes in, pieces out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from vaultbridge.core.dialogue import Piece, TokenLogprob
from vaultbridge.core.ports import ReplyReader
from vaultbridge.engine.text import TextStream


class Answer:
    """Shows what is certain: no half characters, nothing of a stop text, no marks of the reply's format.

    ``called`` says whether it calls a tool.
    """

    def __init__(self, reader: ReplyReader, stop: tuple[str, ...] = (), choice: int = 0) -> None:
        self._reader = reader
        self._text = TextStream(stop)
        self._choice = choice
        self._tokens = 0
        self._logprobs: list[TokenLogprob] = []
        self._plain = 0  # characters of the answer itself
        self.called = False

    @property
    def over(self) -> bool:
        """Whether it ends here by what was said."""
        return self._text.stopped or self._reader.over

    def push(self, data: bytes, logprob: TokenLogprob | None = None) -> list[Piece]:
        """Add a token's bytes; the pieces that are certain now."""
        self._tokens += 1
        if logprob is not None:
            self._logprobs.append(logprob)
        text = self._text.push(data)
        return self._given(self._reader.push(text)) if text else []

    def finish(self) -> list[Piece]:
        """What was held back."""
        return self._given([*self._reader.push(self._text.finish()), *self._reader.finish()])

    def own(self, tokens: list[int], token_bytes: Callable[[int], bytes]) -> tuple[int, ...]:
        """The tokens, of all that were generated, of the text that was shown: not those of a stop text.

        None if one token belongs to both, or if not all of the text is the answer: they would not be its tokens.
        """

        def characters(said: list[int]) -> int:
            return len(b"".join(map(token_bytes, said)).decode(errors="replace"))

        shown = self._text.shown
        if self._plain != shown:
            return ()
        if not self._text.stopped:
            return tuple(tokens)
        said = list(tokens)
        while characters(said) > shown:
            said.pop()
        return tuple(said) if characters(said) == shown else ()

    def _given(self, pieces: list[Piece]) -> list[Piece]:
        """The pieces as this answer's: the first one has all tokens since the last time."""
        given = []
        for piece in pieces:
            given.append(replace(piece, choice=self._choice, tokens=self._tokens, logprobs=tuple(self._logprobs)))
            self._tokens, self._logprobs = 0, []
            self.called |= piece.call is not None
            self._plain += len(piece.text) if piece.kind == "answer" else 0
        return given
