"""An answer's events as OpenAI's chunks and bodies; chat and plain completions differ only in their names."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from typing import Any

from vaultbridge.chat.service import AnswerEvent, Grounding, Sources
from vaultbridge.core.dialogue import Failed, Finished, Piece, TokenLogprob, Usage
from vaultbridge.core.search import Citation
from vaultbridge.server.errors import error_body
from vaultbridge.server.openai.logprobs import chat_logprobs, plain_logprobs

log = logging.getLogger(__name__)

QUOTE_CHARACTERS = 240
"""How much of a cited passage travels with an answer; the whole of it is a search away."""

Events = AsyncGenerator[AnswerEvent, None]


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every chunk of one answer shares. ``chat`` is False for plain completions."""

    model: str
    chat: bool
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: int = field(default_factory=lambda: int(time.time()))

    def chunk(
        self,
        text: str | None,
        finish: str | None = None,
        first: bool = False,
        index: int = 0,
        logprobs: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """One streamed chunk of the choice ``index``; ``text`` None for a chunk without any."""
        if self.chat:
            delta: dict[str, Any] = {"role": "assistant", "content": ""} if first else {}
            if text is not None:
                delta["content"] = text
            choice: dict[str, Any] = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        else:
            choice = {"index": index, "text": text or "", "logprobs": logprobs, "finish_reason": finish}
        return self.around([choice], chunk=True)

    def whole(self, choice: Choice) -> dict[str, Any]:
        """One choice of an answer that is not streamed."""
        assert choice.finished is not None
        said = {"message": {"role": "assistant", "content": choice.text}} if self.chat else {"text": choice.text}
        logprobs = self.logprobs(choice.logprobs, 0)
        return {"index": choice.index, **said, "logprobs": logprobs, "finish_reason": choice.finished.reason}

    def logprobs(self, tokens: Sequence[TokenLogprob], offset: int) -> dict[str, Any] | None:
        """Log probabilities in the dialect's shape, ``offset`` characters into the text; None without any."""
        return chat_logprobs(tokens) if self.chat else plain_logprobs(tokens, offset)

    def around(self, choices: Sequence[Mapping[str, Any]], *, chunk: bool) -> dict[str, Any]:
        """The fields around ``choices``."""
        kind = ("chat.completion.chunk" if chunk else "chat.completion") if self.chat else "text_completion"
        prefix = "chatcmpl" if self.chat else "cmpl"
        return {
            "id": f"{prefix}-{self.id}",
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": list(choices),
        }


@dataclass(slots=True)
class Choice:
    """One of an answer's texts as far as it is known."""

    index: int
    text: str = ""
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finished: Finished | None = None


async def opened(events: Events) -> tuple[AnswerEvent, Events]:
    """The first event, drawn before any header is sent, so that an early failure has its own status.

    Raises the error if it is one.
    """
    first = await anext(events)
    if isinstance(first, Failed):
        await events.aclose()
        raise first.error
    return first, events


async def chunks(
    envelope: Envelope, first: AnswerEvent, events: Events, include_usage: bool
) -> AsyncGenerator[dict[str, Any], None]:
    """The chunks of a stream: role (with the citations), text, finish (with the used ones), usage if asked for.

    Of several choices each has its own role and finish; the citations that were used are known at the last one.
    A failure in the middle travels as an ``error`` key beside valid ``choices``: some clients throw on anything else.
    """
    used: tuple[Citation, ...] = ()
    choices = {0: Choice(0)}
    async with aclosing(_failing_softly(events)) as safe:
        yield envelope.chunk(None, first=True) | {"vaultbridge": _grounding(first)}
        async for event in safe:
            if isinstance(event, (Piece, Finished)) and event.choice not in choices:
                choices[event.choice] = Choice(event.choice)
                yield envelope.chunk(None, first=True, index=event.choice)
            if isinstance(event, Piece):
                choice = choices[event.choice]
                logprobs = envelope.logprobs(event.logprobs, len(choice.text))
                choice.text += event.text
                yield envelope.chunk(event.text, index=event.choice, logprobs=logprobs)
            elif isinstance(event, Sources):
                used = event.used
            elif isinstance(event, Finished):
                choices[event.choice].finished = event
                yield envelope.chunk(None, event.reason, index=event.choice) | {
                    "vaultbridge": {"used": _numbers(used), "timings": asdict(event.timings)}
                }
            elif isinstance(event, Failed):
                unfinished = next((choice.index for choice in choices.values() if choice.finished is None), 0)
                yield envelope.chunk(None, "stop", index=unfinished) | error_body(event.error)
                return
        if include_usage:
            yield envelope.around([], chunk=True) | {"usage": usage_body(_usage(choices.values()))}


async def _failing_softly(events: Events) -> Events:
    """The same events; an unforeseen error becomes the last of them, since the headers are sent already."""
    async with aclosing(events):
        try:
            async for event in events:
                yield event
        except Exception as error:
            log.error("an answer failed: %s", type(error).__name__, exc_info=error)
            yield Failed(error)


async def whole(envelope: Envelope, first: AnswerEvent, events: Events) -> dict[str, Any]:
    """The body of an answer that is not streamed. Raises the error that ended it."""
    used: tuple[Citation, ...] = ()
    choices = {0: Choice(0)}
    last: Finished | None = None
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Sources):
                used = event.used
            elif isinstance(event, (Piece, Finished)):
                choice = choices.setdefault(event.choice, Choice(event.choice))
                if isinstance(event, Finished):
                    last = choice.finished = event
                else:
                    choice.text += event.text
                    choice.logprobs += event.logprobs
    assert last is not None, "an answer without an end"
    bodies = [envelope.whole(choices[index]) for index in sorted(choices)]
    ours = _grounding(first) | {"used": _numbers(used), "timings": asdict(last.timings)}
    return envelope.around(bodies, chunk=False) | {"usage": usage_body(_usage(choices.values())), "vaultbridge": ours}


def _usage(choices: Iterable[Choice]) -> Usage:
    """All choices together: they share one prompt, which the first of them paid for."""
    usages = [choice.finished.usage for choice in choices if choice.finished is not None]
    return Usage(usages[0].prompt_tokens, sum(usage.completion_tokens for usage in usages), usages[0].cached_tokens)


def usage_body(usage: Usage) -> dict[str, Any]:
    """Token counts in OpenAI's names."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def _grounding(event: AnswerEvent) -> dict[str, Any]:
    assert isinstance(event, Grounding)
    return {
        "grounded": bool(event.citations),
        "citations": [_citation(citation) for citation in event.citations],
        "omitted": list(event.omitted),
        "freshness": asdict(event.freshness),
    }


def _citation(citation: Citation) -> dict[str, Any]:
    body = asdict(citation)
    body["quote"] = citation.quote[:QUOTE_CHARACTERS]
    return body


def _numbers(citations: Sequence[Citation]) -> list[int]:
    return [citation.number for citation in citations]
