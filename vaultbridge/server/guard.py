"""Who may speak to us: the Host is ours, the page is Obsidian's or our own, the token (if one is set) is right.

A localhost server is within reach of every web page in the user's browser. ``Host`` is checked against DNS
rebinding, ``Origin`` and ``Sec-Fetch-Site`` against pages of strangers; browsers set all three and scripts cannot
forge them. Programs send none of the last two, and are believed.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vaultbridge.core.errors import Forbidden, RequestError, Unauthorized
from vaultbridge.server.errors import error_response

OBSIDIAN_ORIGINS = ("app://obsidian.md", "capacitor://localhost", "http://localhost")
"""Desktop, iOS, Android. ``http://localhost`` without a port is Obsidian on Android; with one it is a stranger."""
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
PAGE = "/"
"""What links of other sites may lead to; it shows nothing before somebody types."""
PAGE_ASSETS = "/page/"
EXPOSED = "X-Request-Id, Retry-After"
"""The headers of an answer that a page's script may read."""
_NETWORKS = ("private", "local")  # the two names that the draft has had
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


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
        """Let a request through, answer its preflight, or refuse it with 401 or 403."""
        if scope["type"] == "websocket":
            # No route speaks it, and nothing below would check where it comes from.
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        known = self._is_our_host(headers, scope)
        ours = known and origin is not None and self._is_ours(headers, origin)
        send = _with_headers(send, _ALWAYS | {"Vary": "Origin"} | (_cors(origin) if origin and ours else {}))
        preflight = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        try:
            if not known:
                raise Forbidden("This server answers to localhost only.", "Add the name to server.hosts to allow it.")
            if origin is not None and not ours:
                raise Forbidden("This web page may not use this server.", "Add its origin to server.origins.")
            _check_site(scope, headers)
            if not preflight and not _is_page(scope):
                self._check_token(headers)
        except RequestError as error:
            await error_response(error, scope["path"])(scope, receive, send)
            return
        await (_preflight(headers) if preflight else self._app)(scope, receive, send)

    def _is_our_host(self, headers: Headers, scope: Scope) -> bool:
        host = headers.get("host", "").lower()
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        # A name can be bound anew to this computer, the address that was called cannot.
        called = (scope.get("server") or ("",))[0]
        return name in self._hosts or name == (f"[{called}]" if ":" in called else called)

    def _is_ours(self, headers: Headers, origin: str) -> bool:
        return origin in self._origins or origin == f"http://{headers.get('host', '')}"

    def _check_token(self, headers: Headers) -> None:
        if not self._token:
            return
        scheme, _, rest = headers.get("authorization", "").partition(" ")
        given = rest.strip().encode("latin-1") if scheme.lower() == "bearer" else b""
        if not hmac.compare_digest(given, self._token):
            raise Unauthorized("The token is missing or wrong.", "Send it as `Authorization: Bearer <token>`.")


def _check_site(scope: Scope, headers: Headers) -> None:
    """Images, scripts, frames and no-cors reads of other pages carry no Origin. A port of its own is another page."""
    if "origin" in headers or headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return
    followed = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    if not (followed and scope["method"] == "GET" and scope["path"] == PAGE):
        raise Forbidden("Another web page may not use this server.", "Open the address itself.")


def _is_page(scope: Scope) -> bool:
    path = scope["path"]
    return scope["method"] in ("GET", "HEAD") and (path == PAGE or path.startswith(PAGE_ASSETS))


def _preflight(headers: Headers) -> Response:
    granted = {
        "Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS",
        "Access-Control-Max-Age": "600",
        "Vary": "Access-Control-Request-Method, Access-Control-Request-Headers",
    }
    if asked := headers.get("access-control-request-headers"):
        granted["Access-Control-Allow-Headers"] = asked
    for network in _NETWORKS:
        if headers.get(f"access-control-request-{network}-network") == "true":
            granted[f"Access-Control-Allow-{network.title()}-Network"] = "true"
    return Response(status_code=204, headers=granted)


def _cors(origin: str) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": EXPOSED}


def _with_headers(send: Send, extra: dict[str, str]) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.add_vary_header(extra["Vary"])
            for name, value in extra.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
