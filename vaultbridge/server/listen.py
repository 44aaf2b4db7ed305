"""uvicorn as we use it: it stops at a signal and gives control back, so that the house can be closed."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from uvicorn.server import HANDLED_SIGNALS

from vaultbridge.server.app import Application

STREAM_PATIENCE_SECONDS = 1
"""How long running streams may go on after Ctrl-C."""


class Server(uvicorn.Server):
    """A server for ``application`` on sockets that listen already; ``stop`` ends it, and so does a signal."""

    def __init__(self, application: Application) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=STREAM_PATIENCE_SECONDS,
            )
        )

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
