"""A model in a process of its own: spawn, typed messages over a pipe, liveness, restart with backoff, rest.

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
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Literal

from vaultbridge.core.duration import NEVER
from vaultbridge.core.errors import ConfigError, NotReady, VaultbridgeError, WorkerLost
from vaultbridge.core.ports import Clock
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


@dataclass(frozen=True, slots=True)
class Rest:
    """After how many seconds without a call a child ends (NEVER: it does not), and by which clock."""

    seconds: float
    clock: Clock


class Host:
    """The parent's side of one child. All methods belong to one event loop.

    With a ``rest`` the child ends when nobody has called it for so long, and the next call starts it again.
    """

    def __init__(
        self,
        name: str,
        build: Build,
        launch: Launch = launch_process,
        rest: Rest | None = None,
    ) -> None:
        self.name = name
        self.state: State = "stopped"
        self.reason = ""
        self._build = build
        self._launch = launch
        self._rest = rest if rest is not None and rest.seconds < NEVER else None
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Queue[Reply]] = {}
        self._changed = asyncio.Event()
        self._info: Any = None
        self._error: VaultbridgeError | None = None
        self._closed = False
        self._child: Running | None = None
        self._pipe: Connection | None = None
        self._deaths = 0
        self._left = 0.0  # when nobody called it any more, by the clock of its rest
        self._leaving: asyncio.Task[None] | None = None
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
            self._idle()
        else:
            self._error = message
            # What the settings got wrong stays wrong; anything else may pass.
            if isinstance(message, ConfigError):
                self._set("failed", str(message))

    def _lost(self, pipe: Connection, started: float) -> None:
        pipe.close()
        if pipe is not self._pipe:  # it was ended, and another may be there already
            return
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

    async def info(self) -> Any:
        """What the model says of itself; what it said before will do while it rests. Raises as ``ready`` does."""
        resting = self.state == "stopped" and self._info is not None and not self._closed
        return self._info if resting else await self.ready()

    async def call(self, body: Any) -> AsyncGenerator[Any, None]:
        """Send one piece of work and yield its answers. Closing the iterator cancels it in the child.

        Raises what the child raised, or WorkerLost if it died.
        """
        await self.ready()
        if self._leaving is not None:
            self._leaving.cancel()
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
            self._idle()

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

    @property
    def expires(self) -> float | None:
        """When the child ends if nobody calls it, in seconds since 1970; None: never."""
        if self._rest is None:
            return None
        clock = self._rest.clock
        return clock.now() + self._rest.seconds - (0.0 if self._waiting else clock.monotonic() - self._left)

    def _idle(self) -> None:
        """Let the child end after its rest, unless somebody waits for it."""
        if self._rest is not None and not self._waiting and not self._closed:
            if self._leaving is not None:
                self._leaving.cancel()
            self._left = self._rest.clock.monotonic()
            self._leaving = asyncio.get_running_loop().create_task(self._expire(self._rest))

    async def _expire(self, rest: Rest) -> None:
        await rest.clock.sleep(rest.seconds)
        if not self._waiting and self.state == "ready":
            child = self._child
            self._send(Stop())
            self._child = self._pipe = None  # who calls now starts another
            self._set("stopped")
            await _end(child)

    async def close(self) -> None:
        """End the child, and start no other."""
        self._closed = True
        self._set("stopped")
        for task in (*self._tasks, *filter(None, (self._leaving,))):
            task.cancel()
        self._send(Stop())
        await _end(self._child)


async def _end(child: Running | None) -> None:
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
