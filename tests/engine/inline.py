"""A child in a thread: the same messages, without the second that a process takes to start."""

from __future__ import annotations

import queue
import threading
from multiprocessing.connection import Connection
from typing import Any

from vaultbridge.engine.child import Build, Call, Cancel, Reply, Stop, serve
from vaultbridge.engine.launch import Running

Message = Call | Cancel | Stop


class Pipe:
    """A child's end of a pipe that knows when everything sent has been taken in."""

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._sent = self._taken = 0
        self._change = threading.Condition()
        self.replies: list[Reply] = []

    def deliver(self, *messages: Message) -> None:
        """Returns when the reader has worked on all of them: it waits for the next."""
        self._sent += len(messages)
        for message in messages:
            self._messages.put(message)
        with self._change:
            self._change.wait_for(lambda: self._taken > self._sent)

    def recv(self) -> Message:
        with self._change:
            self._taken += 1
            self._change.notify_all()
        return self._messages.get()

    def send(self, replies: tuple[Reply, ...]) -> None:
        with self._change:
            self.replies += replies
            self._change.notify_all()

    def wait_for(self, call: int) -> list[Any]:
        """What was replied to a call that is over, or will be."""

        def over() -> bool:
            return any(reply.id == call and reply.last for reply in self.replies)

        with self._change:
            self._change.wait_for(over)
            return [reply.body for reply in self.replies if reply.id == call]

    def close(self) -> None:
        self._messages.put(Stop())


class InlineChild:
    """Implements ``engine.launch.Running``."""

    exitcode: int | None = None

    def __init__(self, build: Build, pipe: Connection) -> None:
        self._pipe = pipe
        self._thread = threading.Thread(target=self._run, args=(build,), daemon=True)
        self._thread.start()

    def _run(self, build: Build) -> None:
        serve(build, self._pipe, on_close=lambda: None)
        self._pipe.close()

    def kill(self) -> None:
        """The parent has sent Stop by now, which ends the worker's loop."""

    def join(self, timeout: float | None = None) -> None:
        """Wait for the thread."""
        self._thread.join(timeout)


def launch_inline(build: Build, pipe: Connection, name: str) -> Running:
    """Instead of ``launch_process``."""
    return InlineChild(build, pipe)
