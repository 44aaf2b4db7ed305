"""An answer's events as Ollama's documents."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from vaultbridge.chat.service import AnswerEvent, Sources
from vaultbridge.core.dialogue import CallHead, Failed, Finished, Piece
from vaultbridge.server.asking import Events, failing_softly
from vaultbridge.server.errors import MessageBody, error_view
from vaultbridge.server.ollama.documents import CallDetails, Ending, Envelope, Line, Said
from vaultbridge.server.views import grounding_view


class Calls:
    """Puts calls of tools together: this dialect tells of a call when it is whole."""

    def __init__(self) -> None:
        self._heads: dict[int, CallHead] = {}
        self._arguments: dict[int, str] = {}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._heads)

    def take(self, piece: Piece) -> None:
        """The next stretch of a call."""
        assert piece.call is not None
        self._heads[piece.call.index] = piece.call
        self._arguments[piece.call.index] = self._arguments.get(piece.call.index, "") + piece.text

    def said(self) -> Said:
        """All calls; the arguments of one that was cut short are no object, and become text."""
        said = Said()
        for index, head in self._heads.items():
            written = self._arguments[index]
            arguments = _object(written)
            if arguments is None:
                said.text += f"{head.name}({written}"
            else:
                called: CallDetails = {"index": index, "name": head.name, "arguments": arguments}
                said.calls.append({"id": head.id, "function": called})
        return said


async def lines(envelope: Envelope, first: AnswerEvent, events: Events) -> AsyncGenerator[Line | MessageBody, None]:
    """The documents of a stream: one with the citations, the text, the calls, and the end with the used citations.

    A failure in the middle is a document with an ``error``.
    """
    opening = envelope.line(Said())
    opening["vaultbridge"] = grounding_view(first)
    async with aclosing(_told(failing_softly(events), envelope.thinks)) as told:
        yield opening
        async for part in told:
            if isinstance(part, Said):
                yield envelope.line(part)
            elif isinstance(part, Ending):
                yield envelope.last(Said(), part)
            else:
                yield {"error": error_view(part.error)["message"]}


async def whole(envelope: Envelope, first: AnswerEvent, events: Events) -> Line:
    """The one document of an answer that is not streamed. Raises the error that ended it."""
    said = Said()
    ending: Ending | None = None
    async with aclosing(_told(events, envelope.thinks)) as told:
        async for part in told:
            if isinstance(part, Said):
                said.add(part)
            elif isinstance(part, Ending):
                ending = part
            else:
                raise part.error
    assert ending is not None, "an answer without an end"
    line = envelope.last(said, ending)
    line["vaultbridge"] = grounding_view(first) | line["vaultbridge"]
    return line


async def _told(events: Events, thinks: bool) -> AsyncGenerator[Said | Ending | Failed, None]:
    """What events say, in this dialect's units: a tool's call is told of when it is whole."""
    sources = Sources()
    calls = Calls()
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Piece) and event.kind == "tool_call":
                calls.take(event)
            elif isinstance(event, Piece) and event.kind == "reasoning":
                if thinks and event.text:
                    yield Said(thinking=event.text)
            elif isinstance(event, Piece):
                if event.text or event.logprobs:
                    yield Said(event.text, logprobs=list(event.logprobs))
            elif isinstance(event, Sources):
                sources = event
            elif isinstance(event, Finished):
                if calls:
                    yield calls.said()
                yield Ending(event, sources)
            elif isinstance(event, Failed):
                yield event


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text or "{}", parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
