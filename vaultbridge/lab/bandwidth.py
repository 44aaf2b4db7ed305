"""How fast this machine reads memory."""

from __future__ import annotations

import itertools
import os
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import psutil

BUFFER_BYTES = 1 << 30
"""Far more than any cache holds."""
SECONDS = 1.0
WINDOWS = 32


def usable_threads() -> int:
    """The processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_counts(most: int) -> list[int]:
    """1, 2, 4 … up to ``most``, which is always among them."""
    return [*(2**power for power in range((most - 1).bit_length())), most]


def read_bandwidth(threads: Sequence[int], size: int = BUFFER_BYTES, seconds: float = SECONDS) -> dict[int, float]:
    """Bytes a second that so many threads read together, streaming through ``size`` bytes: the best pass of each.

    A pass takes the largest byte of each thread's part, which numpy does in wide registers and without its lock. Passes
    are made for ``seconds`` with each number of threads.
    """
    buffer = np.full(size, 1, dtype=np.uint8)  # written once, or the pages would not be there
    return {count: size / min(_passes([buffer], count, seconds)) for count in threads}


def quick_bandwidth(threads: int) -> float:
    """Bytes a second that so many threads read as a rule, in at most a quarter of the memory that is free.

    The middle one of many short passes: a token reads the weights at the pace that memory keeps up, not at its best.
    """
    size = min(BUFFER_BYTES, psutil.virtual_memory().available // 4)
    parts = np.array_split(np.full(size, 1, dtype=np.uint8), WINDOWS)
    return len(parts[0]) / statistics.median(_passes(parts, threads, SECONDS))


def _passes(windows: Sequence[npt.NDArray[np.uint8]], threads: int, seconds: float) -> list[float]:
    """How long each pass through a window took."""
    turns = itertools.cycle([np.array_split(window, threads) for window in windows])
    took: list[float] = []
    begun = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        while (now := time.perf_counter()) - begun < seconds or not took:
            list(pool.map(np.max, next(turns)))
            took.append(time.perf_counter() - now)
    return took
