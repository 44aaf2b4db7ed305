"""uvicorn as we use it: it stops at a signal and gives control back, so that the house can be closed."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from uvicorn.server import HANDLED_SIGNALS

from vaultbridge.server.app import Application
from vaultbridge.server.limits import HEADER_BYTES
from vaultbridge.server.protocol import BoundedHttp

STREAM_PATIENCE_SECONDS = 1
"""How long running streams may go on after Ctrl-C."""
IDLE_SECONDS = 9
"""How long a connection may wait for its next request: longer than clients keep theirs (httpx, and so OpenAI's client
for Python: 5), or both would end it at the same moment and a request would be lost; shorter than a header may take."""


def configuration(application: Application, protocol: type[BoundedHttp] = BoundedHttp) -> uvicorn.Config:
    """How uvicorn serves ``application``: by our own protocol, without websockets and without a log of its own."""
    return uvicorn.Config(
        application,
        http=protocol,
        ws="none",
        h11_max_incomplete_event_size=HEADER_BYTES,
        server_header=False,
        log_config=None,
        access_log=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STREAM_PATIENCE_SECONDS,
    )


class Server(uvicorn.Server):
    """A server for ``application`` on sockets that listen already; ``stop`` ends it, and so does a signal."""

    def __init__(self, application: Application) -> None:
        super().__init__(configuration(application))

    def stop(self) -> None:
        """Take no more requests and end."""
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Stop at SIGINT and SIGTERM; uvicorn would raise them again afterwards and end the process."""
        before = {number: signal.signal(number, self.handle_exit) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
