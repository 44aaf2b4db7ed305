"""One house for all tests of the server: starting it takes two seconds, asking it none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.server.building import Building, write_vault


@pytest.fixture(scope="session")
def building(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Building]:
    root = tmp_path_factory.mktemp("building")
    building = Building(write_vault(root / "My Vault"), root / "data")
    yield building
    building.close()


@pytest.fixture(scope="session")
def address(building: Building) -> str:
    return building.serve()


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, trust_env=False, timeout=20) as client:
        yield client


@pytest.fixture
def vault(tmp_path_factory: pytest.TempPathFactory, building: Building) -> Path:
    return building.house.place.vault
