"""One server for all tests that leave it running."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.serving import Served
from tests.server.building import write_vault


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("served")
    with Served(home, write_vault(home / "My Vault"), "--context", 200_000) as served:
        served.wait_until_indexed()
        yield served
