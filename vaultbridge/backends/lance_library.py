"""LanceDB's names, imported in half the time, and its memory, kept small."""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from typing import Any

import pyarrow as pa
import pydantic

M_ARENA_MAX = -8
"""glibc's number for it (malloc.h)."""
ARENAS = 2


@contextmanager
def _without_validators() -> Iterator[None]:
    """Leave pydantic's ``validate_call`` out of what is imported in here.

    LanceDB imports a client for servers of namespaces, which nothing here calls: the validators of its functions alone
    take half a second of each start.
    """
    real = pydantic.validate_call
    pydantic.validate_call = _as_it_is  # type: ignore[assignment]
    try:
        yield
    finally:
        pydantic.validate_call = real


def _as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


class _Pandas(MetaPathFinder):
    """Finds that pandas is not installed."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name=name)


@contextmanager
def _without_pandas() -> Iterator[None]:
    """Keep pandas from being imported in here: pyarrow does if it is installed, though nothing here has data frames.

    It takes a fifth of a second of each start. Whoever makes a data frame of a table later gets one.
    """
    finder = _Pandas()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


with _without_validators(), _without_pandas():
    import lancedb
    from lancedb.expr import col
    from lancedb.index import FTS, BTree
    from lancedb.query import MatchQuery

__all__ = ["FTS", "BTree", "MatchQuery", "col", "lancedb", "share_memory"]


def share_memory() -> None:
    """Have all threads of this process take memory from the same places; to be called before LanceDB starts its own.

    What each of many threads keeps for itself after a large batch is a quarter of a server's memory otherwise.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)
