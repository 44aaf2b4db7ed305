"""The child's side of the pipe: the messages, the calls as they come, and the child's main.

Imports as little as a model's process needs.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
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
        self._begun: set[int] = set()
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
        while not self.closed:
            yield from self.arrived(wait=True)

    def arrived(self, *, wait: bool) -> list[Call]:
        """The calls that came since the last time, without those that were cancelled meanwhile.

        ``wait``: until there is one, or the parent is gone.
        """
        calls: list[Call] = []
        while wait or not self._calls.empty():
            call = self._calls.get()
            if call is None:
                break
            if not self.is_cancelled(call):
                self._begun.add(call.id)
                calls.append(call)
                wait = False
        return calls

    def cancelled(self) -> list[int]:
        """The calls among those that ``arrived`` that nobody waits for any more; they are over now."""
        # One that is still to arrive keeps its mark until then.
        ids = [id_ for id_ in list(self._cancelled) if id_ in self._begun]
        for id_ in ids:
            self._end(id_)
        return ids

    def is_cancelled(self, call: Call) -> bool:
        """Whether to stop working on ``call``; forgets the mark, since the caller then ends the call."""
        if call.id in self._cancelled:
            self._end(call.id)
            return True
        return self.closed

    def reply(self, call: Call, body: Any, *, last: bool = False) -> None:
        """Send one answer."""
        self.post([Reply(call.id, body, last)])

    def post(self, replies: Sequence[Reply]) -> None:
        """Send several at once, which costs as much as one; a parent that is gone is not an error here."""
        for reply in replies:
            if reply.last:
                self._end(reply.id)
        if replies:
            try:
                self._pipe.send(tuple(replies))
            except (BrokenPipeError, OSError):
                self.closed = True

    def _end(self, id_: int) -> None:
        self._live.discard(id_)
        self._begun.discard(id_)
        self._cancelled.discard(id_)


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
