"""What runs in a model's child process: the generator's loop and the embedder's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from vaultbridge.core.dialogue import Event, Finished, GeneratorInfo, GroundedPrompt, Piece, Sampling, Started
from vaultbridge.core.errors import ComputeError, DecodeFailed, EmbedFailed, VaultbridgeError
from vaultbridge.core.ports import Decoder, Embedder
from vaultbridge.core.search import EmbedderInfo, Lane
from vaultbridge.engine.child import Call, Inbox
from vaultbridge.engine.fitting import fit
from vaultbridge.engine.sequence import Sequence, common_prefix
from vaultbridge.engine.text import TextStream


@dataclass(frozen=True, slots=True)
class Generate:
    """Answer a prompt; the replies are events."""

    prompt: GroundedPrompt
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class Embed:
    """Embed texts; the reply is a list of Embedding."""

    texts: tuple[str, ...]
    lane: Lane


class GeneratorWorker:
    """One answer at a time; what the cache shares with the last one is not computed again."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._cached: list[int] = []

    @property
    def info(self) -> GeneratorInfo:
        """The model's."""
        return self._decoder.info

    def run(self, inbox: Inbox) -> None:
        """Serve calls in the order of their arrival."""
        for call in inbox:
            try:
                for event in self._generate(call, inbox):
                    inbox.reply(call, event, last=isinstance(event, Finished))
            except VaultbridgeError as error:
                self._cached = self._cached if not isinstance(error, ComputeError) else self._emptied()
                inbox.reply(call, error, last=True)
            except Exception as error:  # noqa: BLE001  one request's failure is not the next one's
                self._cached = self._emptied()
                inbox.reply(call, DecodeFailed(f"The model failed: {type(error).__name__}: {error}."), last=True)

    def _emptied(self) -> list[int]:
        self._decoder.truncate(0)
        return []

    def _generate(self, call: Call, inbox: Inbox) -> Iterator[Event]:
        request: Generate = call.body
        arrived = time.monotonic()
        fitted = fit(request.prompt, request.sampling, self._decoder)
        sequence = Sequence(
            call.id, fitted.tokens, len(fitted.tokens), fitted.max_tokens, request.sampling, arrived=arrived
        )
        yield Started(fitted.kept, fitted.omitted)
        yield from self._decode(sequence, TextStream(fitted.stop), call, inbox)

    def _decode(self, sequence: Sequence, text: TextStream, call: Call, inbox: Inbox) -> Iterator[Event]:
        decoder = self._decoder
        # The last prompt token is always decoded again: its logits choose the first token of the answer.
        reused = min(common_prefix(self._cached, sequence.tokens), sequence.prompt_len - 1)
        sequence.cached_len = reused if decoder.truncate(reused) else 0
        self._cached = sequence.tokens[: sequence.cached_len]
        while len(self._cached) < sequence.prompt_len:
            if inbox.is_cancelled(call):
                return
            self._extend(sequence.tokens[len(self._cached) : sequence.prompt_len][: decoder.batch_size])
        sequence.prefilled = time.monotonic()
        sampler = decoder.sampler(sequence.sampling)
        try:
            while not inbox.is_cancelled(call):
                token = sampler.sample()
                sequence.decoding = time.monotonic()
                ended = decoder.is_end(token)
                if not ended:
                    sequence.tokens.append(token)
                    if piece := text.push(decoder.token_bytes(token)):
                        yield Piece(piece)
                if ended or text.stopped or sequence.generated >= sequence.max_tokens:
                    if rest := text.finish():
                        yield Piece(rest, tokens=0)
                    reason = "stop" if ended or text.stopped else "length"
                    yield Finished(reason, sequence.usage, sequence.timings)  # type: ignore[arg-type]
                    return
                self._extend([token])
        finally:
            sampler.close()

    def _extend(self, tokens: list[int]) -> None:
        self._decoder.decode(tokens, len(self._cached))
        self._cached += tokens


class EmbedderWorker:
    """One batch at a time."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    @property
    def info(self) -> EmbedderInfo:
        """The embedder's."""
        return self._embedder.info

    def run(self, inbox: Inbox) -> None:
        """Serve batches in the order of their arrival; the parent decides which that is."""
        for call in inbox:
            request: Embed = call.body
            try:
                inbox.reply(call, self._embedder.embed(request.texts, request.lane), last=True)
            except VaultbridgeError as error:
                inbox.reply(call, error, last=True)
            except Exception as error:  # noqa: BLE001  a library's own error: the batch's callers hear of it
                inbox.reply(call, EmbedFailed(f"The embedder failed: {type(error).__name__}: {error}."), last=True)
