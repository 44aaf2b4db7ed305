"""Every body is JSON, whatever its headers call it (``curl -d`` says that it is a form), and whole characters.

JavaScript cuts a text wherever it is told to, in the middle of an emoji too, and sends the half that it has; nothing
behind here could say it again.
"""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SURROGATES = re.compile(
    rb"\\\\"  # a backslash, and no escape
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # two halves
    rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\xed[\xa0-\xbf][\x80-\xbf])"
)


class JsonBodies:
    """ASGI middleware that calls every body JSON and replaces halves of characters in it; it must come in one message.

    Who may send one is the guard's business, not the header's.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        others = [header for header in scope["headers"] if header[0] != b"content-type"]

        async def receiving() -> Message:
            message = await receive()
            return {**message, "body": _whole(message["body"])} if message.get("body") else message

        # In place: the record, which stands outside, reads from the same scope which route was found.
        scope["headers"] = [*others, (b"content-type", b"application/json")]
        await self._app(scope, receiving, send)


def _whole(body: bytes) -> bytes:
    return _SURROGATES.sub(lambda match: rb"\ufffd" if match["half"] else match[0], body)
