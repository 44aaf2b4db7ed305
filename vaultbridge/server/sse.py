"""Server-sent events as the strictest known client reads them: one event a write, ``data: `` with its space,
keep-alives as ordinary chunks.

The only importer of sse_starlette, which changes how uvicorn exits so that open streams end with it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

from sse_starlette import EventSourceResponse, ServerSentEvent

KEEP_ALIVE_SECONDS = 10
_LINE_ENDS = {ord(character): f"\\u{ord(character):04x}" for character in "\x85\u2028\u2029"}
"""Some clients end a line at these too, and a note may hold them."""


def event_stream(
    chunks: AsyncGenerator[Mapping[str, Any], None], keep_alive: Callable[[], Mapping[str, Any]], *, named: bool = False
) -> EventSourceResponse:
    """Stream ``chunks`` as events and ``[DONE]`` after them; if ``named``, each event has its chunk's type as its name.

    A quiet line is kept alive by the chunk that ``keep_alive`` makes: a comment, which other servers send, makes
    some clients lose a token. A client that goes away closes ``chunks``.
    """

    async def events() -> AsyncGenerator[ServerSentEvent, None]:
        async with aclosing(chunks):
            async for chunk in chunks:
                yield _event(chunk, named)
        yield ServerSentEvent(data="[DONE]", sep="\n")

    return EventSourceResponse(
        events(),
        ping=KEEP_ALIVE_SECONDS,
        ping_message_factory=lambda: _event(keep_alive(), named),
        sep="\n",
        headers={"Cache-Control": "no-store"},
    )


def _event(chunk: Mapping[str, Any], named: bool) -> ServerSentEvent:
    return ServerSentEvent(data=one_line(chunk), event=chunk["type"] if named else None, sep="\n")


def one_line(document: Mapping[str, Any]) -> str:
    """A JSON document that every client takes for a single line."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).translate(_LINE_ENDS)
