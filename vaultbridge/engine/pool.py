"""Processes for many small tasks: threads of ours would take turns with every answer that is being streamed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

import psutil

from vaultbridge.engine.launch import deaf_to_interrupts

MOST_PROCESSES = 4

P = ParamSpec("P")
T = TypeVar("T")


class ProcessPool(Executor):
    """Fresh interpreters, as many as there are cores within reason, which are being started.

    They give way to every other process, and end when this one does, however that happens. A task whose process ends
    raises BrokenExecutor. Each process has a pipe and, here, a thread: ``ProcessPoolExecutor`` shares one queue among
    all of them, and one that is killed while another is being started can leave that waiting, and us at our exit.
    """

    def __init__(self) -> None:
        count = min(os.cpu_count() or 1, MOST_PROCESSES)
        self._threads = ThreadPoolExecutor(count, "process")
        self._idle = SimpleQueue[Connection]()
        self._processes = [self._start() for _ in range(count)]

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a process call ``fn``, which it imports by its name."""
        return self._threads.submit(self._call, fn, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes: at once where their tasks are cancelled, otherwise after these, which is waited for."""
        self._threads.shutdown(wait=not cancel_futures, cancel_futures=cancel_futures)
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join()

    def _start(self) -> Any:
        ours, theirs = get_context("spawn").Pipe()
        process = get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
        with deaf_to_interrupts():
            process.start()
        theirs.close()  # so that the end of the process is the end of the pipe
        self._idle.put(ours)
        return process

    def _call(self, function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        pipe = self._idle.get()  # as many as there are threads
        try:
            pipe.send((function, args, kwargs))
            result, error = pipe.recv()
        except (EOFError, OSError) as ended:
            raise BrokenExecutor("A process of the pool has ended.") from ended
        finally:
            self._idle.put(pipe)
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]


def _serve(pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    if sys.platform == "win32":
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(10)
    while True:
        try:
            function, args, kwargs = pipe.recv()
        except (EOFError, OSError):  # nobody is left who asks
            return
        result, failure = None, None
        try:
            result = function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  it is raised where the task came from
            failure = error
        pipe.send((result, failure))
