"""LanceDB's names, imported in half the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pydantic


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


with _without_validators():
    import lancedb
    from lancedb.expr import col
    from lancedb.index import FTS, BTree
    from lancedb.query import MatchQuery

__all__ = ["FTS", "BTree", "MatchQuery", "col", "lancedb"]
