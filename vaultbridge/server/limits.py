"""How much one request may bring and how long it may take to bring it; what exceeds that is told so.

The body is read here, up to the limit, and handed on whole. What happens before a request has a path and headers, and
after its answer is written, is the ``protocol``'s.
"""

from __future__ import annotations

from dataclasses import dataclass

import anyio
import numpy as np
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vaultbridge.server.errors import refusal

HEADER_BYTES = 64 * 2**10
PATH_CHARACTERS = 4096
NESTING = 128
"""Brackets within brackets: far more than a schema needs, far less than what exhausts a recursive reader."""


@dataclass(frozen=True, slots=True)
class LimitOptions:
    """``body_bytes`` and ``body_seconds`` are for one whole body."""

    body_bytes: int = 16 * 2**20
    body_seconds: float = 60.0


class Limits:
    """ASGI middleware that refuses what is too long, too slow or too deep before any route reads it."""

    def __init__(self, app: ASGIApp, options: LimitOptions) -> None:
        self._app = app
        self._options = options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on with its body, or answer 400, 408, 413, 414 or 431."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            if len(scope["path"]) > PATH_CHARACTERS:
                raise _Exceeded(414, "The path is too long.", "uri_too_long")
            if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_BYTES:
                raise _Exceeded(431, f"The headers are longer than {HEADER_BYTES} bytes.", "headers_too_large")
            body = await self._body(Headers(scope=scope), receive)
            if body is not None and depth(body) > NESTING:
                raise _Exceeded(400, f"The body is nested more than {NESTING} deep.", "invalid_request")
        except _Exceeded as error:
            await error.response(scope["path"])(scope, receive, send)
            return
        if body is not None:
            await self._app(scope, _Replay(body, receive), send)

    async def _body(self, headers: Headers, receive: Receive) -> bytes | None:
        """The whole body; None if the client left before its end."""
        limit, seconds = self._options.body_bytes, self._options.body_seconds
        too_long = _Exceeded(413, f"The body is longer than {limit} bytes.", "request_too_large")
        if int(headers.get("content-length", "0")) > limit:
            raise too_long
        parts, size = [], 0
        try:
            with anyio.fail_after(seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > limit:
                        raise too_long
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            raise _Exceeded(408, f"The body took longer than {seconds:.0f} seconds.", "timeout") from None


class _Exceeded(Exception):
    def __init__(self, status: int, message: str, code: str) -> None:
        self._status, self._message, self._code = status, message, code

    def response(self, path: str) -> Response:
        response = refusal(self._status, self._message, self._code, path)
        if self._status == 408:  # the rest may never come
            response.headers["Connection"] = "close"
        return response


class _Replay:
    """The body that was read, once; then whatever the connection says."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


def depth(body: bytes) -> int:
    """How deep JSON is nested, at most: brackets in strings do not count. In linear time, whatever is in it."""
    if len(body) <= NESTING:
        return 0
    text = np.frombuffer(body.replace(b"\\\\", b"").replace(b'\\"', b""), np.uint8)
    outside = ~np.logical_xor.accumulate(text == ord('"'))
    opening = ((text == ord("[")) | (text == ord("{"))) & outside
    closing = ((text == ord("]")) | (text == ord("}"))) & outside
    return int(np.cumsum(opening.astype(np.int8) - closing.astype(np.int8), dtype=np.int32).max(initial=0))
