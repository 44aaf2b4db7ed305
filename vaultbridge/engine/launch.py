"""How a child is started: a fresh interpreter that is deaf to Ctrl-C."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from typing import Protocol

from vaultbridge.engine.child import Build, serve

SPINS = "1000"
"""Rounds, some microseconds in all, that an OpenMP thread spins before it sleeps."""


class Running(Protocol):
    """A started child."""

    @property
    def exitcode(self) -> int | None:
        """How it ended; None while it runs, negative: killed by that signal."""

    def kill(self) -> None:
        """End it at once."""

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""


Launch = Callable[[Build, Connection, str], Running]
"""Starts a child that builds its model and speaks through the pipe, under a name."""


def launch_process(build: Build, pipe: Connection, name: str) -> Running:
    """Start the child in a fresh interpreter (spawn: LanceDB and ggml threads do not survive a fork)."""
    process = get_context("spawn").Process(
        target=_run_in_process, args=(build, pipe), name=f"vaultbridge-{name}", daemon=True
    )
    with deaf_to_interrupts():
        process.start()
    return process


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """A child that is started in here is deaf to Ctrl-C from the first instruction on, which it says itself later."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # its start, which spawning may need, would lift the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run_in_process(build: Build, pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    share_cores()
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")  # a debugger that is started at an abort holds its news up
    os.dup2(2, 1)  # libraries that print must not spoil the parent's --json
    serve(build, pipe, on_close=lambda: os._exit(0))


def share_cores() -> None:
    """Let this process's OpenMP threads sleep soon when they wait; to be called before their library is loaded.

    By default they spin so long that, on a busy machine, one keeps the very core that the other needs: with one more
    program at work, decoding was nine times as slow.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
