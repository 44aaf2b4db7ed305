"""The child's side of the pipe: the messages, the calls as they come, and the child's main.

Imports as little as a model's process needs.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

from vaultbridge.core.errors import ComputeError, VaultbridgeError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """One piece of work for the child."""

    id: int
    body: Any


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody waits for call ``id`` any more."""

    id: int


@dataclass(frozen=True, slots=True)
class Stop:
    """The parent wants no more."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer to call ``id``; ``body`` is an exception if the call failed."""

    id: int
    body: Any
    last: bool


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded; ``info`` is what it says of itself."""

    info: Any


class Worker(Protocol):
    """What runs in the child: a loaded model."""

    @property
    def info(self) -> Any:
        """Sent to the parent when loaded."""

    def run(self, inbox: Inbox) -> None:
        """Serve calls until the inbox is closed."""


class Inbox:
    """The child's end of the pipe: calls in order of arrival, and which of them are cancelled."""

    def __init__(self, pipe: Connection, on_close: Callable[[], None]) -> None:
        self._pipe = pipe
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._live: set[int] = set()
        self._cancelled: set[int] = set()
        self._on_close = on_close
        self.closed = False
        threading.Thread(target=self._read, name="inbox", daemon=True).start()

    def _read(self) -> None:
        try:
            while not isinstance(message := self._pipe.recv(), Stop):
                if isinstance(message, Cancel):
                    # A cancel that crosses the last reply on its way finds the call over.
                    if message.id in self._live:
                        self._cancelled.add(message.id)
                else:
                    self._live.add(message.id)
                    self._calls.put(message)
        except (EOFError, OSError):
            log.debug("the parent is gone")
        self.closed = True
        self._calls.put(None)
        self._on_close()

    def __iter__(self) -> Iterator[Call]:
        """Calls as they come, without those that were cancelled while they waited; ends when the parent is gone."""
        while (call := self._calls.get()) is not None:
            if not self.is_cancelled(call):
                yield call

    def is_cancelled(self, call: Call) -> bool:
        """Whether to stop working on ``call``; forgets the mark, since the caller then ends the call."""
        if call.id in self._cancelled:
            self._end(call)
            return True
        return self.closed

    def reply(self, call: Call, body: Any, *, last: bool = False) -> None:
        """Send one answer; a parent that is gone is not an error here."""
        if last:
            self._end(call)
        try:
            self._pipe.send(Reply(call.id, body, last))
        except (BrokenPipeError, OSError):
            self.closed = True

    def _end(self, call: Call) -> None:
        self._live.discard(call.id)
        self._cancelled.discard(call.id)


Build = Callable[[], Worker]
"""Loads the model; picklable, since it runs in the child."""


def serve(build: Build, pipe: Connection, on_close: Callable[[], None]) -> None:
    """The child's main: load, say so, work until the parent is gone."""
    inbox = Inbox(pipe, on_close)
    try:
        worker = build()
    except VaultbridgeError as error:
        pipe.send(error)
        return
    except Exception as error:  # noqa: BLE001  a library's own error at load time: the parent reports it
        pipe.send(ComputeError(f"The model could not be loaded: {type(error).__name__}: {error}."))
        return
    pipe.send(Ready(worker.info))
    worker.run(inbox)
