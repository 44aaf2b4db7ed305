"""An answer's events as the Responses API's, streamed or as one body."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from typing_extensions import Unpack

from vaultbridge.chat.service import AnswerEvent, Sources
from vaultbridge.core.dialogue import Failed, Finished, Piece, Usage
from vaultbridge.server.asking import Events, failing_softly
from vaultbridge.server.errors import error_view, status_of
from vaultbridge.server.openai.response_items import ItemWriter, MessageWriter, writer
from vaultbridge.server.openai.response_views import (
    EventFields,
    EventType,
    ItemStatus,
    ResponseEvent,
    ResponseUsage,
    ResponseView,
)
from vaultbridge.server.views import AnswerView, ended_view, grounding_view


class Response:
    """One response while it is written: ``view`` is how it stands; what changes it gives the events that tell of it."""

    def __init__(self, view: ResponseView) -> None:
        self.view = view
        self._ours: AnswerView = {}
        self._numbers = itertools.count()
        self._open: ItemWriter | None = None
        self._reasoning_tokens = 0

    def begin(self, first: AnswerEvent) -> Iterator[ResponseEvent]:
        """It begins, with what it is grounded in."""
        self._ours.update(grounding_view(first))
        self.view["vaultbridge"] = self._ours
        yield self._event("response.created", response={**self.view})
        yield self.quiet()

    def quiet(self) -> ResponseEvent:
        """It still runs."""
        return self._event("response.in_progress", response={**self.view, "output": []})

    def say(self, piece: Piece) -> Iterator[ResponseEvent]:
        """More of the item that is open, or of a new one."""
        if piece.kind == "reasoning":
            self._reasoning_tokens += piece.tokens
        if self._open is None or not self._open.takes(piece):
            yield from self._close("completed")
            yield from self._begin_item(writer(piece))
        assert self._open is not None
        for kind, fields in self._open.growing(piece):
            yield self._of_item(self._open, kind, fields)

    def finish(self, finished: Finished, sources: Sources) -> Iterator[ResponseEvent]:
        """It ends, or its tokens do."""
        cut = finished.reason == "length"
        if self._open is None:
            yield from self._begin_item(MessageWriter())
        yield from self._close("incomplete" if cut else "completed")
        self._ours.update(ended_view(sources, finished.timings))
        self.view["usage"] = _usage(finished.usage, self._reasoning_tokens)
        if cut:
            self.view["status"] = "incomplete"
            self.view["incomplete_details"] = {"reason": "max_output_tokens"}
            yield self._event("response.incomplete", response=self.view)
        else:
            self.view["status"] = "completed"
            self.view["completed_at"] = int(time.time())
            yield self._event("response.completed", response=self.view)

    def fail(self, error: Exception) -> Iterator[ResponseEvent]:
        """It cannot go on. OpenAI's clients raise at the first of these events, others wait for the second."""
        told = error_view(error)
        yield self._event("error", error=told)
        self.view["status"] = "failed"
        self.view["error"] = {
            "code": "rate_limit_exceeded" if status_of(error) == 429 else "server_error",
            "message": told["message"],
            "type": told["code"],
        }
        yield self._event("response.failed", response=self.view)

    def _begin_item(self, item: ItemWriter) -> Iterator[ResponseEvent]:
        self._open = item
        yield self._event(
            "response.output_item.added", output_index=len(self.view["output"]), item=item.item("in_progress")
        )
        for kind, fields in item.opening():
            yield self._of_item(item, kind, fields)

    def _close(self, status: ItemStatus) -> Iterator[ResponseEvent]:
        if self._open is None:
            return
        for kind, fields in self._open.closing():
            yield self._of_item(self._open, kind, fields)
        item = self._open.item(status)
        yield self._event("response.output_item.done", output_index=len(self.view["output"]), item=item)
        self.view["output"].append(item)
        self._open = None

    def _of_item(self, item: ItemWriter, kind: EventType, fields: EventFields) -> ResponseEvent:
        return {**self._event(kind, **fields), "item_id": item.id, "output_index": len(self.view["output"])}

    def _event(self, kind: EventType, **fields: Unpack[EventFields]) -> ResponseEvent:
        return {"type": kind, "sequence_number": next(self._numbers), **fields}


async def response_events(
    response: Response, first: AnswerEvent, events: Events
) -> AsyncGenerator[ResponseEvent, None]:
    """The events of a stream; the last one has the whole response, or says why there is none."""
    sources = Sources()
    async with aclosing(failing_softly(events)) as safe:
        for told in response.begin(first):
            yield told
        async for event in safe:
            if isinstance(event, Sources):
                sources = event
            for told in _told(response, event, sources):
                yield told


async def whole_response(response: Response, first: AnswerEvent, events: Events) -> ResponseView:
    """The body of a response that is not streamed. Raises the error that ended it."""
    sources = Sources()
    async with aclosing(events):
        for _ in response.begin(first):
            pass
        async for event in events:
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Sources):
                sources = event
            for _ in _told(response, event, sources):
                pass
    return response.view


def _told(response: Response, event: AnswerEvent, sources: Sources) -> Iterator[ResponseEvent]:
    if isinstance(event, Piece):
        yield from response.say(event)
    elif isinstance(event, Finished):
        yield from response.finish(event, sources)
    elif isinstance(event, Failed):
        yield from response.fail(event.error)


def _usage(usage: Usage, reasoning_tokens: int) -> ResponseUsage:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": reasoning_tokens},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
