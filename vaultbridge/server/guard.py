"""Who may speak to us: the Host is ours, the Origin is Obsidian's, the token (if one is set) is right.

A localhost server is within reach of every web page in the user's browser. ``Host`` is checked against DNS
rebinding, ``Origin`` against pages of strangers; browsers set both and scripts cannot forge them.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vaultbridge.core.errors import Forbidden
from vaultbridge.server.errors import error_response

OBSIDIAN_ORIGINS = ("app://obsidian.md", "capacitor://localhost", "http://localhost")
"""Desktop, iOS, Android. ``http://localhost`` without a port is Obsidian on Android; with one it is a stranger."""
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class GuardOptions:
    """``hosts`` and ``origins`` are allowed beside our own; an empty ``token`` asks for none."""

    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    token: str = ""


class Guard:
    """ASGI middleware that refuses strangers before any route runs, and answers CORS preflights."""

    def __init__(self, app: ASGIApp, options: GuardOptions) -> None:
        self._app = app
        self._hosts = frozenset(map(str.lower, (*LOOPBACK_HOSTS, *options.hosts)))
        self._origins = frozenset((*OBSIDIAN_ORIGINS, *options.origins))
        self._token = options.token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, answer its preflight, or refuse it with 403."""
        if scope["type"] == "websocket":
            # No route speaks it, and nothing below would check where it comes from.
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        try:
            self._check_host(headers)
            self._check_origin(headers, origin)
            preflight = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
            if not preflight:
                self._check_token(headers)
        except Forbidden as error:
            response: Response = error_response(error)
            if origin is not None and self._is_ours(headers, origin):
                response.headers.update(_cors(origin))
            await response(scope, receive, send)
            return
        if preflight:
            await self._preflight(headers, origin)(scope, receive, send)
            return
        await self._app(scope, receive, _with_headers(send, _cors(origin)) if origin else send)

    def _check_host(self, headers: Headers) -> None:
        host = headers.get("host", "").lower()
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if name not in self._hosts:
            raise Forbidden("This server answers to localhost only.", "Add the name to server.hosts to allow it.")

    def _is_ours(self, headers: Headers, origin: str) -> bool:
        return origin in self._origins or origin == f"http://{headers.get('host', '')}"

    def _check_origin(self, headers: Headers, origin: str | None) -> None:
        if origin is not None and not self._is_ours(headers, origin):
            raise Forbidden("This web page may not use this server.", "Add its origin to server.origins to allow it.")

    def _check_token(self, headers: Headers) -> None:
        if not self._token:
            return
        scheme, _, rest = headers.get("authorization", "").partition(" ")
        given = rest.strip().encode("latin-1") if scheme.lower() == "bearer" else b""
        if not hmac.compare_digest(given, self._token):
            raise Forbidden("The token is missing or wrong.", "Send it as `Authorization: Bearer <token>`.")

    def _preflight(self, headers: Headers, origin: str | None) -> Response:
        granted = {
            "Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS",
            "Access-Control-Allow-Headers": headers.get("access-control-request-headers", "*"),
            "Access-Control-Max-Age": "600",
        }
        if headers.get("access-control-request-private-network") == "true":
            granted["Access-Control-Allow-Private-Network"] = "true"
        return Response(status_code=204, headers={**granted, **(_cors(origin) if origin else {})})


def _cors(origin: str) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}


def _with_headers(send: Send, extra: dict[str, str]) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in extra.items():
                headers.append(name, value)
        await send(message)

    return sending
