"""The starter models, fetched through the catalogue if they are not here yet."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from vaultbridge.catalog.pull import Puller
from vaultbridge.catalog.supply import Supply
from vaultbridge.core.errors import VaultbridgeError
from vaultbridge.wiring import open_hub


@cache
def _fetched(name: str) -> Path | str:
    try:
        return Puller(Supply(), open_hub).pull(name).path
    except VaultbridgeError as error:
        return str(error)


def starter(name: str) -> Path:
    """What the model's backend loads; skips the test, saying why, where the model cannot be had."""
    found = _fetched(name)
    if isinstance(found, str):
        pytest.skip(f"{name} cannot be fetched: {found}")
    return found
