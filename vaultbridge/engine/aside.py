"""One function in a process of its own: for libraries that may end the process they are loaded into."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from vaultbridge.core.errors import WorkerLost
from vaultbridge.engine.load import load_class


def call_aside(target: str) -> Any:
    """What the function ``package.module:name`` returns. Raises what it raises, WorkerLost if its process ends."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(_call, target).result()
        except BrokenProcessPool as error:
            raise WorkerLost(f"The process of {target} ended unexpectedly.") from error


def _call(target: str) -> Any:
    return load_class(target)()
