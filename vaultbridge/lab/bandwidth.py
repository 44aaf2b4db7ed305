"""How fast this machine reads memory."""

from __future__ import annotations

import itertools
import os
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


def read_bandwidth(
    threads: Sequence[int], size: int = BUFFER_BYTES, seconds: float = SECONDS, windows: int = 1
) -> dict[int, float]:
    """Bytes a second that so many threads read together, streaming through ``size`` bytes: the best pass of each.

    A pass takes the largest byte of each thread's part, which numpy does in wide registers and without its lock. Passes
    are made for ``seconds`` with each number of threads; each reads the next of so many ``windows`` of the buffer.
    """
    buffer = np.full(size, 1, dtype=np.uint8)  # written once, or the pages would not be there
    parts = np.array_split(buffer, windows)
    return {count: len(parts[0]) / _best_pass(parts, count, seconds) for count in threads}


def quick_bandwidth(threads: int) -> float:
    """The same for one number of threads, in at most a quarter of the memory that is free.

    Its passes are so short that one of them goes undisturbed on a computer that works on other things, too.
    """
    size = min(BUFFER_BYTES, psutil.virtual_memory().available // 4)
    return read_bandwidth([threads], size, SECONDS, WINDOWS)[threads]


def _best_pass(windows: Sequence[npt.NDArray[np.uint8]], threads: int, seconds: float) -> float:
    turns = itertools.cycle([np.array_split(window, threads) for window in windows])
    best, begun = float("inf"), time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        while (now := time.perf_counter()) - begun < seconds or best == float("inf"):
            list(pool.map(np.max, next(turns)))
            best = min(best, time.perf_counter() - now)
    return best
