"""What ``models info`` says of a model's memory is what its process takes; the larger models are the command's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.tiny import tiny_model
from tests.live.starters import starter
from vaultbridge.backends.llama_devices import build
from vaultbridge.lab.predictions import SMALL, compare

TOLERANCE = 0.1


def test_of_a_tiny_model_nearly_everything_is_the_program(tmp_path: Path) -> None:
    row = compare(tiny_model(tmp_path), "tiny", build(), 512, runs=1)
    assert row.promised.process > row.resident / 2
    assert row.speed > 0
    assert row.undisturbed > 0
    assert row.expected > 0


@pytest.mark.live
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("context", [1024, 4096])
def test_memory_is_as_promised(name: str, context: int) -> None:
    # Not the speed: on a computer that does other things it says nothing.
    row = compare(starter(name), name, build(), context, runs=3)
    assert abs(row.memory_error) < TOLERANCE, row
