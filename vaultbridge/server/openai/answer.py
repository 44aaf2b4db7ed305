"""An answer's events as chunks or as one body, for chat and plain completions, which differ in their envelopes only."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from vaultbridge.chat.service import AnswerEvent, Sources
from vaultbridge.core.dialogue import CallHead, Failed, Finished, FinishReason, Piece, TokenLogprob, Usage
from vaultbridge.server.asking import Events, failing_softly
from vaultbridge.server.openai.usage import UsageView, usage_view
from vaultbridge.server.views import AnswerView, ended_view, grounding_view

ChunkT_co = TypeVar("ChunkT_co", covariant=True)
BodyT_co = TypeVar("BodyT_co", covariant=True)


@dataclass(slots=True)
class Call:
    """A tool call as far as it is written."""

    head: CallHead
    arguments: str = ""


@dataclass(slots=True)
class Choice:
    """One of an answer's texts as far as it is known; ``reasoning_tokens`` of it were only thought."""

    index: int
    text: str = ""
    reasoning: str = ""
    reasoning_tokens: int = 0
    calls: dict[int, Call] = field(default_factory=dict)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finished: Finished | None = None

    @property
    def reason(self) -> FinishReason:
        """Why it ended."""
        assert self.finished is not None, "a choice without an end"
        return self.finished.reason

    def add(self, piece: Piece) -> None:
        """Go on with ``piece``."""
        if piece.call is not None:
            self.calls.setdefault(piece.call.index, Call(piece.call)).arguments += piece.text
        elif piece.kind == "reasoning":
            self.reasoning += piece.text
            self.reasoning_tokens += piece.tokens
        else:
            self.text += piece.text
            self.logprobs += piece.logprobs


class Envelope(Protocol[ChunkT_co, BodyT_co]):
    """What stands around the pieces of one answer in one dialect."""

    def opening(self, index: int, ours: AnswerView | None) -> ChunkT_co:
        """The first chunk of a choice."""

    def said(self, piece: Piece, choice: Choice) -> Iterator[ChunkT_co]:
        """The chunks of a piece that comes after what ``choice`` has."""

    def closing(self, index: int, reason: FinishReason, ours: AnswerView) -> ChunkT_co:
        """The last chunk of a choice."""

    def failure(self, index: int, error: Exception) -> ChunkT_co:
        """The last chunk of a choice that cannot be finished."""

    def counts(self, usage: UsageView) -> ChunkT_co:
        """The chunk that says what it took."""

    def whole(self, choices: Sequence[Choice], usage: UsageView, ours: AnswerView) -> BodyT_co:
        """The body of an answer that is not streamed."""


async def chunks(
    envelope: Envelope[ChunkT_co, BodyT_co], first: AnswerEvent, events: Events, include_usage: bool
) -> AsyncGenerator[ChunkT_co, None]:
    """The chunks of a stream: role (with the citations), text, finish (with the used ones), usage if asked for.

    Of several choices each has its own role and finish; the citations that were used are known at the last one.
    A failure in the middle travels as an ``error`` key beside valid ``choices``: some clients throw on anything else.
    """
    sources = Sources()
    choices = {0: Choice(0)}
    async with aclosing(failing_softly(events)) as safe:
        yield envelope.opening(0, grounding_view(first))
        async for event in safe:
            if isinstance(event, (Piece, Finished)) and event.choice not in choices:
                choices[event.choice] = Choice(event.choice)
                yield envelope.opening(event.choice, None)
            if isinstance(event, Piece):
                for chunk in envelope.said(event, choices[event.choice]):
                    yield chunk
                choices[event.choice].add(event)
            elif isinstance(event, Sources):
                sources = event
            elif isinstance(event, Finished):
                choices[event.choice].finished = event
                yield envelope.closing(event.choice, event.reason, ended_view(sources, event.timings))
            elif isinstance(event, Failed):
                unfinished = next((choice.index for choice in choices.values() if choice.finished is None), 0)
                yield envelope.failure(unfinished, event.error)
                return
        if include_usage:
            yield envelope.counts(_usage(choices.values()))


async def whole(envelope: Envelope[ChunkT_co, BodyT_co], first: AnswerEvent, events: Events) -> BodyT_co:
    """The body of an answer that is not streamed. Raises the error that ended it."""
    sources = Sources()
    choices = {0: Choice(0)}
    last: Finished | None = None
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Sources):
                sources = event
            elif isinstance(event, (Piece, Finished)):
                choice = choices.setdefault(event.choice, Choice(event.choice))
                if isinstance(event, Finished):
                    last = choice.finished = event
                else:
                    choice.add(event)
    assert last is not None, "an answer without an end"
    ours = grounding_view(first)
    ours.update(ended_view(sources, last.timings))
    return envelope.whole([choices[index] for index in sorted(choices)], _usage(choices.values()), ours)


def _usage(choices: Iterable[Choice]) -> UsageView:
    """All choices together: they share one prompt, which the first of them paid for."""
    choices = list(choices)
    usages = [choice.finished.usage for choice in choices if choice.finished is not None]
    total = Usage(usages[0].prompt_tokens, sum(usage.completion_tokens for usage in usages), usages[0].cached_tokens)
    return usage_view(total, sum(choice.reasoning_tokens for choice in choices))
