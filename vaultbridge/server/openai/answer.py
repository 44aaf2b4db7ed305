"""An answer's events as OpenAI's chunks and bodies; chat and plain completions differ only in their names."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from typing import Any

from vaultbridge.chat.service import AnswerEvent, Grounding, Sources
from vaultbridge.core.dialogue import Failed, Finished, Piece, Usage
from vaultbridge.core.search import Citation
from vaultbridge.server.errors import error_body

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

    def chunk(self, text: str | None, finish: str | None = None, first: bool = False) -> dict[str, Any]:
        """One streamed chunk; ``text`` None for a chunk without any."""
        if self.chat:
            delta: dict[str, Any] = {"role": "assistant", "content": ""} if first else {}
            if text is not None:
                delta["content"] = text
            choice: dict[str, Any] = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        else:
            choice = {"index": 0, "text": text or "", "logprobs": None, "finish_reason": finish}
        return self.around([choice], chunk=True)

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

    A failure in the middle travels as an ``error`` key beside valid ``choices``: some clients throw on anything else.
    """
    used: tuple[Citation, ...] = ()
    async with aclosing(_failing_softly(events)) as safe:
        yield envelope.chunk(None, first=True) | {"vaultbridge": _grounding(first)}
        async for event in safe:
            if isinstance(event, Piece):
                yield envelope.chunk(event.text)
            elif isinstance(event, Sources):
                used = event.used
            elif isinstance(event, Finished):
                yield envelope.chunk(None, event.reason) | {
                    "vaultbridge": {"used": _numbers(used), "timings": asdict(event.timings)}
                }
                if include_usage:
                    yield envelope.around([], chunk=True) | {"usage": usage_body(event.usage)}
            elif isinstance(event, Failed):
                yield envelope.chunk(None, "stop") | error_body(event.error)


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
    text: list[str] = []
    used: tuple[Citation, ...] = ()
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Piece):
                text.append(event.text)
            elif isinstance(event, Sources):
                used = event.used
            elif isinstance(event, Failed):
                raise event.error
            elif isinstance(event, Finished):
                said = "".join(text)
                content = {"message": {"role": "assistant", "content": said}} if envelope.chat else {"text": said}
                choice = {"index": 0, **content, "logprobs": None, "finish_reason": event.reason}
                ours = _grounding(first) | {"used": _numbers(used), "timings": asdict(event.timings)}
                return envelope.around([choice], chunk=False) | {
                    "usage": usage_body(event.usage),
                    "vaultbridge": ours,
                }
    raise AssertionError("an answer without an end")


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
