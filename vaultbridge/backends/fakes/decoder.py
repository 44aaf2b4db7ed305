"""A language model without one: its tokens are bytes, its answer repeats the first note, or the question."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from vaultbridge.backends.fakes.voice import offered, planned, transcript
from vaultbridge.backends.middle import stops
from vaultbridge.backends.replies.json_calls import JsonCallsReader
from vaultbridge.backends.replies.reading import PlainReader
from vaultbridge.backends.replies.thinking import TAGS, ThinkingReader
from vaultbridge.core.dialogue import Conversation, GeneratorInfo, Prompt, Sampling, TokenLogprob
from vaultbridge.core.errors import CacheFull, DecodeFailed
from vaultbridge.core.ports import ReplyFormat, ReplyReader, Segment

END = 256


class FakeDecoder:
    """Implements ``core.ports.Decoder`` deterministically, and refuses whatever the real cache would not survive.

    With notes in the prompt the answer is the first line of note 1 that is no heading, and its mark; without, it is
    ``You said: `` and the last line of the prompt. What it can be asked for beside that, in the lines at the end of the
    user's turn:

    - ``call NAME {json}``, once or in several lines, with tools in the prompt: calls them. If a call is required and
      none is asked for, it calls the first tool, with arguments that the tool's schema allows.
    - ``think TEXT``, as the last line or before the last line or its calls: thinks TEXT first.

    After tools' results the answer is ``Tool said: `` and the results, with commas between them.
    """

    def __init__(
        self, name: str = "fake", context: int = 8192, *, slots: int = 8, cache: int = 0, batch: int = 512
    ) -> None:
        self._info = GeneratorInfo(name, context, chat=True)
        self._batch = batch
        self._capacity = max(context, cache or 2 * context)
        self._numbers = itertools.count()
        # A cell is a token and a number of its own; slots that share a prefix share its cells.
        self._cells: list[list[tuple[int, int]]] = [[] for _ in range(slots)]
        self._rows: list[tuple[int, int]] = []

    @property
    def info(self) -> GeneratorInfo:
        """What this model is."""
        return self._info

    @property
    def slots(self) -> int:
        """How many sequences there is room for."""
        return len(self._cells)

    @property
    def capacity(self) -> int:
        """Cells of all slots together."""
        return self._capacity

    @property
    def batch_size(self) -> int:
        """The most tokens that one ``decode`` takes."""
        return self._batch

    @property
    def vocabulary(self) -> int:
        """The bytes, and the end."""
        return END + 1

    @property
    def rewinds(self) -> bool:
        """Drafts are fine."""
        return True

    def render(self, prompt: Prompt) -> tuple[list[int], tuple[str, ...]]:
        """A prompt's tokens: each turn under its role in angle brackets, behind the tools under ``<tools>``;
        what follows a gap stands in front."""
        if not isinstance(prompt, Conversation):
            after = f"{prompt.suffix}\n" if prompt.suffix else ""
            return self.tokenize(after + prompt.text), stops(prompt.suffix)
        tokens = self.tokenize(offered(prompt))
        for message in prompt.messages:
            said = message.tokens or self.tokenize(transcript(message))
            tokens += [*self.tokenize(f"<{message.role}>\n"), *said, *self.tokenize("\n")]
        return [*tokens, *self.tokenize("<assistant>\n")], ()

    def reply(self, prompt: Prompt) -> ReplyFormat:
        """Thoughts in tags, and calls as Hermes writes them if there are tools; all of it is free."""
        if not isinstance(prompt, Conversation):
            return ReplyFormat(PlainReader)

        def reader() -> ReplyReader:
            calls = JsonCallsReader(prompt.tools, parallel=prompt.parallel_calls) if prompt.tools else PlainReader()
            return ThinkingReader(TAGS, calls, inside=False)

        return ReplyFormat(reader)

    def tokenize(self, text: str) -> list[int]:
        """One token a byte."""
        return list(text.encode())

    def token_bytes(self, token: int) -> bytes:
        """The byte."""
        return bytes([token]) if token < END else b""

    def is_end(self, token: int) -> bool:
        """Whether it is the one token that is no byte."""
        return token == END

    def cached(self, slot: int) -> list[int]:
        """The tokens that a slot holds."""
        return [token for token, _ in self._cells[slot]]

    def decode(self, segments: Sequence[Segment]) -> None:
        """Append each segment to its slot, which must end at its position."""
        count = sum(len(segment.tokens) for segment in segments)
        if not 0 < count <= self._batch:
            raise DecodeFailed(f"A batch of {count} tokens.")
        for segment in segments:
            if segment.position != len(self._cells[segment.slot]) or not segment.tokens:
                raise DecodeFailed(f"{segment} is not what follows {len(self._cells[segment.slot])} cached tokens.")
            if segment.position + len(segment.tokens) > self._info.context:
                raise DecodeFailed("The context is full.")
        used = len({number for cells in self._cells for _, number in cells})
        if used + count > self._capacity:
            raise CacheFull(f"{used} of {self._capacity} cells are used, {count} more are wanted.")
        self._rows = []
        for segment in segments:
            cells = self._cells[segment.slot]
            for token in segment.tokens:
                cells.append((token, next(self._numbers)))
                self._rows.append((segment.slot, len(cells)))

    def truncate(self, slot: int, position: int) -> bool:
        """Forget a slot's cache from ``position`` on."""
        del self._cells[slot][position:]
        return True

    def copy(self, source: int, target: int, length: int) -> bool:
        """Share a prefix."""
        if self._cells[target] or length > len(self._cells[source]):
            raise DecodeFailed(f"Cannot copy {length} tokens of slot {source} to slot {target}.")
        self._cells[target] = self._cells[source][:length]
        return True

    def sampler(self, sampling: Sampling) -> FakeSampler:
        """A voice for one sequence."""
        return FakeSampler(self, sampling)

    def context_of(self, row: int) -> list[int]:
        """What the model saw when it computed a row of the last batch."""
        slot, length = self._rows[row]
        return self.cached(slot)[:length]

    def close(self) -> None:
        """Nothing to free."""


class FakeSampler:
    """Speaks a fixed answer, and checks that the cache holds the prompt and what was said so far."""

    def __init__(self, decoder: FakeDecoder, sampling: Sampling) -> None:
        self._decoder = decoder
        self._prompt: list[int] = []
        self._answer: list[int] = []
        self._said = 0

    def sample(self, row: int) -> int:
        """The next byte of the answer, then the end."""
        seen = self._decoder.context_of(row)
        if not self._answer:
            self._prompt, self._answer = seen, [*planned(bytes(seen).decode(errors="replace")).encode(), END]
        if seen != self._prompt + self._answer[: self._said]:
            raise DecodeFailed("The cache does not hold what was said.")
        token = self._answer[self._said]
        self._said += 1
        return token

    def logprob(self, row: int, token: int) -> TokenLogprob:
        """Certainty."""
        data = self._decoder.token_bytes(token)
        return TokenLogprob(data.decode(errors="replace"), data, 0.0)

    def close(self) -> None:
        """Nothing to free."""
