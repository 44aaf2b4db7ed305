"""uvicorn's HTTP/1.1 with bounds on a client that connects and is slow, silent or one of too many.

uvicorn itself waits without end for the rest of a header, for a body that nobody reads any more, and for a client that
does not read its answer.
"""

from __future__ import annotations

import asyncio
import sys

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from vaultbridge.server.errors import refusal
from vaultbridge.server.limits import HEADER_BYTES

HEADER_SECONDS = 10.0
READER_SECONDS = 30.0
CONNECTIONS = 256
"""What more connections ask is answered with 503; twice as many are not accepted at all."""


class BoundedHttp(H11Protocol):
    """One connection. The class attributes are its bounds."""

    header_seconds = HEADER_SECONDS
    reader_seconds = READER_SECONDS
    most_connections = CONNECTIONS
    _owing: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first header."""
        super().connection_made(transport)
        self.access_log = False  # it would write down paths and queries
        if len(self.connections) > 2 * self.most_connections:
            transport.abort()
            return
        if len(self.connections) > self.most_connections:
            self.app = _crowded
        self._watch_reading()

    def data_received(self, data: bytes) -> None:
        """Read on; whoever trickles a header is not given more time for each byte."""
        super().data_received(data)
        self._watch_reading()

    def on_response_complete(self) -> None:
        """Wait for the next header, or for the end of a body that was refused."""
        super().on_response_complete()
        self._watch_reading()
        self._stop(self._unread)
        self._unread = self.loop.call_later(self.reader_seconds, self._abort_if_closing)

    def pause_writing(self) -> None:
        """The client does not read: it has a while to begin again."""
        super().pause_writing()
        self._stop(self._unread)
        self._unread = self.loop.call_later(self.reader_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads."""
        super().resume_writing()
        self._stop(self._unread)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop(self._owing)
        self._stop(self._unread)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Say in our clients' shape what is wrong with a request that is no HTTP; called while that is handled."""
        error = sys.exc_info()[1]
        if isinstance(error, h11.RemoteProtocolError) and error.error_status_hint == 431:
            self._refuse(431, f"The headers are longer than {HEADER_BYTES} bytes.", "headers_too_large")
        else:
            self._refuse(400, "This is not HTTP/1.1.", "invalid_http")

    def _watch_reading(self) -> None:
        """Let time run while the client owes us something: a header, or the rest of a body after its answer."""
        theirs, ours = self.conn.their_state, self.conn.our_state
        owes = theirs is h11.IDLE or (theirs is h11.SEND_BODY and ours in (h11.DONE, h11.MUST_CLOSE))
        if not owes:
            self._stop(self._owing)
            self._owing = None
        elif self._owing is None:
            self._owing = self.loop.call_later(self.header_seconds, self._give_up)

    def _give_up(self) -> None:
        begun = bool(self.conn.trailing_data[0]) and self.conn.their_state is h11.IDLE
        if begun and not self.transport.is_closing():
            self._refuse(408, f"The headers took longer than {self.header_seconds:.0f} seconds.", "timeout")
        self.transport.abort() if self.conn.their_state is h11.SEND_BODY else self.transport.close()

    def _abort_if_closing(self) -> None:
        if self.transport.is_closing():
            self.transport.abort()

    def _refuse(self, status: int, message: str, code: str) -> None:
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            response = refusal(status, message, code)
            head = h11.Response(status_code=status, headers=[*response.raw_headers, (b"connection", b"close")])
            for event in (head, h11.Data(data=bytes(response.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    @staticmethod
    def _stop(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()


async def _crowded(scope: Scope, receive: Receive, send: Send) -> None:
    response = refusal(503, "Too many connections are open.", "overloaded", scope["path"])
    response.headers["Connection"] = "close"
    await response(scope, receive, send)
