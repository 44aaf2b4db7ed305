"""Processes for many small tasks: threads of ours would take turns with every answer that is being streamed."""

from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait

import psutil

from vaultbridge.engine.launch import deaf_to_interrupts

MOST_PROCESSES = 4


def process_pool() -> ProcessPoolExecutor:
    """Fresh interpreters, as many as there are cores within reason, which are being started.

    They give way to every other process, and end when this one does, however that happens.
    """
    processes = min(os.cpu_count() or 1, MOST_PROCESSES)
    pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=_begin)
    with deaf_to_interrupts():
        pool.submit(os.getpid)  # the first task starts them all
    return pool


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    if sys.platform == "win32":
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(10)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()


def _end_with_parent() -> None:
    # The pool's own pipes stay open in its other processes when the parent is killed, so that nothing would be read
    # from them, and nothing end.
    if (parent := parent_process()) is not None:
        wait([parent.sentinel])
        os._exit(1)
