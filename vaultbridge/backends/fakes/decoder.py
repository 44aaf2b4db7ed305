"""A language model without one: its tokens are bytes, its answer repeats the first note, or the question."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vaultbridge.core.dialogue import Conversation, GeneratorInfo, Prompt, Sampling
from vaultbridge.core.errors import DecodeFailed

END = 256
_NOTE = re.compile(r"^\[1\] [^\n]*\n+(?P<text>[^\n]+)", re.MULTILINE)
_USER = "<user>\n"


class FakeDecoder:
    """Implements ``core.ports.Decoder`` deterministically.

    With notes in the prompt the answer is the first line of note 1 and its mark; without, it is ``You said: `` and
    the last line of the prompt.
    """

    def __init__(self, name: str = "fake", context: int = 8192, batch: int = 512) -> None:
        self._info = GeneratorInfo(name, context, chat=True)
        self._batch = batch
        self.cache: list[int] = []

    @property
    def info(self) -> GeneratorInfo:
        """What this model is."""
        return self._info

    @property
    def batch_size(self) -> int:
        """The most tokens that one ``decode`` takes."""
        return self._batch

    def render(self, prompt: Prompt) -> tuple[list[int], tuple[str, ...]]:
        """A prompt's tokens: each turn under its role in angle brackets."""
        if not isinstance(prompt, Conversation):
            return self.tokenize(prompt.text), ()
        turns = [f"<{message.role}>\n{message.text}\n" for message in prompt.messages]
        return self.tokenize("".join([*turns, "<assistant>\n"])), ()

    def tokenize(self, text: str) -> list[int]:
        """One token a byte."""
        return list(text.encode())

    def token_bytes(self, token: int) -> bytes:
        """The byte."""
        return bytes([token]) if token < END else b""

    def is_end(self, token: int) -> bool:
        """Whether it is the one token that is no byte."""
        return token == END

    def decode(self, tokens: Sequence[int], position: int) -> None:
        """Append to the cache, which must end at ``position``."""
        if position != len(self.cache) or not 0 < len(tokens) <= self._batch:
            raise DecodeFailed(f"{len(tokens)} tokens at {position}, the cache ends at {len(self.cache)}.")
        if position + len(tokens) > self._info.context:
            raise DecodeFailed("The context is full.")
        self.cache += tokens

    def truncate(self, position: int) -> bool:
        """Forget the cache from ``position`` on."""
        del self.cache[position:]
        return True

    def sampler(self, sampling: Sampling) -> FakeSampler:
        """The answer to what is in the cache now."""
        return FakeSampler(bytes(self.cache).decode(errors="replace"))

    def close(self) -> None:
        """Nothing to free."""


class FakeSampler:
    """Speaks a fixed answer."""

    def __init__(self, prompt: str) -> None:
        asked = prompt.rsplit(_USER, 1)[-1].removesuffix("<assistant>\n")
        note = _NOTE.search(asked)
        lines = asked.strip().splitlines() or [""]
        answer = f"{note['text']} [1]" if note else f"You said: {lines[-1]}"
        self._left = iter([*answer.encode(), END])

    def sample(self) -> int:
        """The next byte of the answer, then the end."""
        token: int = next(self._left)
        return token

    def close(self) -> None:
        """Nothing to free."""
