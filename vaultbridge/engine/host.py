"""A model in a process of its own: spawn, typed messages over a pipe, liveness, restart with backoff.

The server process never loads a model library. A native abort kills the child, never the server: the calls that
were in it fail with WorkerLost, the child is started again, the next call works. The child ends when its parent
dies, however it dies, because the pipe between them then closes.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import signal
import threading
import time
from collections.abc import AsyncGenerator, Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Literal

from vaultbridge.core.errors import ConfigError, NotReady, VaultbridgeError, WorkerLost
from vaultbridge.engine.child import Build, Call, Cancel, Ready, Reply, Stop
from vaultbridge.engine.launch import Launch, Running, launch_process

log = logging.getLogger(__name__)

BACKOFF_SECONDS = (0.2, 1.0, 5.0, 15.0, 60.0)
"""Waits before the next start after one more death in a row; a call that was answered ends the row."""
PATIENT_DEATHS = 2
"""So many deaths in a row, and a request does not wait for the backoff; after more it is refused until it is over."""
STEADY_SECONDS = 60.0
"""A child that lived this long dies for the first time again."""

State = Literal["stopped", "loading", "ready", "restarting", "failed"]


class Host:
    """The parent's side of one child. All methods belong to one event loop."""

    def __init__(
        self,
        name: str,
        build: Build,
        launch: Launch = launch_process,
    ) -> None:
        self.name = name
        self.state: State = "stopped"
        self.reason = ""
        self._build = build
        self._launch = launch
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Queue[Reply]] = {}
        self._changed = asyncio.Event()
        self._info: Any = None
        self._error: VaultbridgeError | None = None
        self._closed = False
        self._child: Running | None = None
        self._pipe: Connection | None = None
        self._deaths = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def enter(self, keep_alive: float | None) -> Host:
        """Implements ``engine.generator.Home``, with ``leave``: a model that is always there."""
        return self

    def leave(self) -> None:
        """Stay."""

    def start(self) -> None:
        """Start the child and return at once; calls wait until the model is loaded."""
        if self._child is not None or self._closed or self.state == "failed":
            return
        loop = asyncio.get_running_loop()
        self._error = None
        ours, theirs = Pipe()
        self._set("loading")
        self._pipe = ours
        self._child = self._launch(self._build, theirs, self.name)
        if self._launch is launch_process:
            theirs.close()  # so that the child's death closes the pipe
        started = time.monotonic()
        threading.Thread(target=self._read, args=(loop, ours, started), name=f"read-{self.name}", daemon=True).start()

    def _read(self, loop: asyncio.AbstractEventLoop, pipe: Connection, started: float) -> None:
        def tell(callback: Callable[..., None], *args: Any) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(callback, *args)

        try:
            while True:
                tell(self._receive, pipe.recv())
        except (EOFError, OSError):
            tell(self._lost, pipe, started)

    def _receive(self, message: Any) -> None:
        if isinstance(message, tuple):
            for reply in message:
                if reply.id in self._waiting:
                    self._waiting[reply.id].put_nowait(reply)
                    if reply.last and not isinstance(reply.body, Exception):
                        self._deaths = 0
        elif isinstance(message, Ready):
            self._info = message.info
            self._set("ready")
        else:
            self._error = message
            # What the settings got wrong stays wrong; anything else may pass.
            if isinstance(message, ConfigError):
                self._set("failed", str(message))

    def _lost(self, pipe: Connection, started: float) -> None:
        if pipe is not self._pipe:
            return
        pipe.close()
        child, self._child, self._pipe = self._child, None, None
        if child is not None:
            child.join(5)
        error = self._error or WorkerLost(
            f"The {self.name} process ended unexpectedly{_how(child)}.",
            "Its file may be damaged, or memory may not suffice: fetch it again, or choose another."
            if self.state == "loading"
            else "Its memory may not suffice; the request can be sent again, the model is being loaded anew.",
        )
        for box in self._waiting.values():
            box.put_nowait(Reply(0, error, last=True))
        if self.state in ("failed", "stopped"):
            return
        self._deaths = 1 if time.monotonic() - started > STEADY_SECONDS else self._deaths + 1
        wait = BACKOFF_SECONDS[min(self._deaths, len(BACKOFF_SECONDS)) - 1]
        log.warning("%s ended%s; starting it again in %.1f s", self.name, _how(child), wait)
        self._set("restarting", str(error))
        task = asyncio.get_running_loop().create_task(self._restart(wait))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _restart(self, wait: float) -> None:
        await asyncio.sleep(wait)
        if self.state == "restarting":
            self.start()

    def _set(self, state: State, reason: str = "") -> None:
        self.state, self.reason = state, reason
        self._changed.set()
        self._changed = asyncio.Event()

    async def ready(self) -> Any:
        """Wait until the model is loaded; its info. Raises the reason if it cannot be."""
        while self.state != "ready":
            if self._closed:
                raise NotReady(f"The {self.name} is shutting down.")
            if self.state == "failed":
                assert self._error is not None
                raise self._error
            if self.state == "restarting" and self._deaths > PATIENT_DEATHS:
                raise NotReady(f"The {self.name} keeps failing.", self.reason)
            self.start()
            await self._changed.wait()
        return self._info

    async def call(self, body: Any) -> AsyncGenerator[Any, None]:
        """Send one piece of work and yield its answers. Closing the iterator cancels it in the child.

        Raises what the child raised, or WorkerLost if it died.
        """
        await self.ready()
        id_ = next(self._ids)
        box = self._waiting[id_] = asyncio.Queue()
        done = False
        try:
            self._send(Call(id_, body))
            while not done:
                reply = await box.get()
                done = reply.last
                if isinstance(reply.body, Exception):
                    raise reply.body
                yield reply.body
                if not box.empty():
                    await asyncio.sleep(0)  # a burst of answers must not keep the loop from everything else
        finally:
            del self._waiting[id_]
            if not done:
                self._send(Cancel(id_))

    def tell(self, body: Any) -> None:
        """Send something whose answer nobody waits for. A child that is not ready does not hear of it."""
        if self.state == "ready":
            self._send(Call(next(self._ids), body))

    def _send(self, message: Call | Cancel | Stop) -> None:
        # The child's reader thread drains the pipe at once, so this does not block on a busy model.
        if self._pipe is not None:
            try:
                self._pipe.send(message)
            except (BrokenPipeError, OSError):
                log.debug("%s is gone before a message reached it", self.name)  # _lost answers the waiting

    async def close(self) -> None:
        """End the child."""
        child = self._child
        self._closed = True
        self._set("stopped")
        for task in self._tasks:
            task.cancel()
        self._send(Stop())
        if child is not None:
            child.kill()
            await asyncio.to_thread(child.join, 5)


def _how(child: Running | None) -> str:
    code = child.exitcode if child is not None else None
    if code is None or code == 0:
        return ""
    if code < 0:
        try:
            return f" ({signal.Signals(-code).name})"
        except ValueError:
            return f" (signal {-code})"
    return f" (exit code {code})"
