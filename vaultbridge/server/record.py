"""One line of the log and one count for each request: what was done, never what was said.

The path stands as its route's template, since a note's path and a question in a query are the user's own.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable
from contextvars import ContextVar

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
NO_ROUTE = "none"
"""The route of what was refused before a route was looked for, or of a path that has none."""
NO_ANSWER = 0
"""The status of a request whose client left before there was any."""
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CLIENTS = (
    ("OpenAI/Python", "openai-python"),
    ("AsyncOpenAI/Python", "openai-python"),
    ("OpenAI/JS", "openai-node"),
    ("ollama-python", "ollama-python"),
    ("ollama-js", "ollama-node"),
    ("ollama/", "ollama"),
    ("python-httpx", "httpx"),
    ("curl/", "curl"),
    ("Mozilla/", "browser"),
)

Observe = Callable[[str, str, int, float], None]
"""Told of each request: method, route, status, seconds."""


class Record:
    """ASGI middleware around everything: names each request, and writes down how it went."""

    def __init__(self, app: ASGIApp, observe: Observe) -> None:
        self._app = app
        self._observe = observe
        self._id: ContextVar[str] = ContextVar("request_id", default="")

    def request_id(self) -> str:
        """The request in whose course this is called; empty outside of any."""
        return self._id.get()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request and write it down. ``X-Request-Id`` is taken over if it is short and plain."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        id_ = given if _SANE_ID.fullmatch(given) else secrets.token_hex(8)
        status = NO_ANSWER

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = id_
            await send(message)

        began = time.monotonic()
        reset = self._id.set(id_)
        try:
            await self._app(scope, receive, sending)
        finally:
            self._write(scope, status, time.monotonic() - began, _client(headers))
            self._id.reset(reset)

    def _write(self, scope: Scope, status: int, seconds: float, client: str) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = getattr(scope.get("route"), "path", NO_ROUTE)
        self._observe(method, route, status, seconds)
        milliseconds = round(1000 * seconds)
        fields = {"method": method, "route": route, "status": status, "ms": milliseconds, "client": client}
        log.info("%s %s %d in %d ms for %s", *fields.values(), extra={"fields": fields})


def _client(headers: Headers) -> str:
    """What kind of program asks, from a fixed set."""
    if headers.get("origin", "").startswith(("app://", "capacitor://")):
        return "obsidian"
    agent = headers.get("user-agent", "")
    return next((kind for mark, kind in _CLIENTS if agent.startswith(mark)), "other")
