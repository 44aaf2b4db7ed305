"""A stream of JSON documents, one a line and a write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from vaultbridge.server.connection import while_connected
from vaultbridge.server.sse import KEEP_ALIVE_SECONDS, one_line

MEDIA_TYPE = "application/x-ndjson"

Documents = AsyncGenerator[Mapping[str, Any], None]


class LineStream(StreamingResponse):
    """Streams ``documents``; a quiet line is kept alive by the document that ``keep_alive`` makes.

    A client that goes away closes ``documents``.
    """

    def __init__(self, documents: Documents, keep_alive: Callable[[], Mapping[str, Any]]) -> None:
        self._lines = _lines(documents, keep_alive)
        super().__init__(self._lines, media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write until the end, or until nobody reads any more."""
        async with aclosing(self._lines):
            await while_connected(Request(scope, receive), self.stream_response(send))


async def _lines(documents: Documents, keep_alive: Callable[[], Mapping[str, Any]]) -> AsyncGenerator[bytes, None]:
    async with aclosing(documents):
        while True:
            coming = asyncio.ensure_future(documents.__anext__())
            try:
                while not (await asyncio.wait((coming,), timeout=KEEP_ALIVE_SECONDS))[0]:
                    yield _line(keep_alive())
                document = coming.result()
            except StopAsyncIteration:
                return
            finally:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)
            yield _line(document)


def _line(document: Mapping[str, Any]) -> bytes:
    return one_line(document).encode() + b"\n"
