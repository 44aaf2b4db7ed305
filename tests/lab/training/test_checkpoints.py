from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from vaultbridge.core.errors import ConfigError, DiskFull
from vaultbridge.lab.training.checkpoints import newest, room_for

GB = 1_000_000_000


def checkpoint(folder: Path, step: int) -> Path:
    """All that the Trainer writes, with the state last."""
    place = folder / f"checkpoint-{step}"
    place.mkdir(parents=True)
    save_file({"weight": np.ones((4, 4), np.float32)}, place / "model.safetensors")
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth", "sparse_linear.pt"):
        torch.save({"state": torch.ones(100)}, place / name)
    (place / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    return place


def cut(name: str) -> Callable[[Path], None]:
    def damage(place: Path) -> None:
        content = (place / name).read_bytes()
        (place / name).write_bytes(content[:-20])

    return damage


def without(name: str) -> Callable[[Path], None]:
    return lambda place: (place / name).unlink()


def test_the_last_one_is_taken(tmp_path: Path) -> None:
    for step in (8, 100, 20):
        checkpoint(tmp_path, step)
    found = newest(tmp_path)
    assert found is not None
    assert (found.step, found.path) == (100, tmp_path / "checkpoint-100")


@pytest.mark.parametrize(
    "damage",
    [
        cut("model.safetensors"), cut("optimizer.pt"), cut("rng_state.pth"), cut("sparse_linear.pt"),
        cut("trainer_state.json"), without("trainer_state.json"), without("optimizer.pt"), without("model.safetensors"),
    ],
)  # fmt: skip
def test_one_that_is_half_written_is_skipped_and_deleted(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    checkpoint(tmp_path, 2)
    damage(checkpoint(tmp_path, 4))
    found = newest(tmp_path)
    assert found is not None
    assert found.step == 2
    assert [place.name for place in tmp_path.iterdir()] == ["checkpoint-2"]


def test_none(tmp_path: Path) -> None:
    assert newest(tmp_path / "nothing") is None
    without("trainer_state.json")(checkpoint(tmp_path, 4))
    assert newest(tmp_path) is None


def test_as_many_are_kept_as_there_is_room_for() -> None:
    # A checkpoint has three times the weights, and one more than is kept lies there while it is written.
    assert room_for(GB, None, 100 * GB).keep == 2
    assert room_for(GB, int(6.5 * GB), 100 * GB).keep == 1
    assert room_for(GB, None, 7 * GB).keep == 1


def test_a_disk_or_a_budget_that_is_too_small_is_told_before_it_begins() -> None:
    with pytest.raises(DiskFull, match=r"takes 6\.0 GB, and 5\.0 GB are free"):
        room_for(GB, None, 5 * GB)
    with pytest.raises(ConfigError, match=r"takes 6\.0 GB") as caught:
        room_for(GB, 2 * GB, 100 * GB)
    assert "--disk-budget 6.0" in caught.value.hint
