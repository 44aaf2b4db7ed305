"""The checkpoints of a run: which are whole, and how many there is room for."""

from __future__ import annotations

import json
import math
import re
import shutil
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

from vaultbridge.core.errors import ConfigError, DiskFull

_NAME = re.compile(r"checkpoint-(\d+)")
_STATE = "trainer_state.json"
"""What the Trainer writes last."""
_WEIGHTS = "model.safetensors"
_TORCH = ("optimizer.pt", "scheduler.pt", "rng_state.pth")
_HEADS = ("sparse_linear.pt", "colbert_linear.pt")
_COPIES = 3
"""Of each weight, in a checkpoint: the weight itself and Adam's two moments."""
_MOST = 2
"""Checkpoints that are kept, whatever the room: the second one is for a disk that lost the newest."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A whole checkpoint, after ``step`` steps."""

    path: Path
    step: int


@dataclass(frozen=True, slots=True)
class Room:
    """What a run takes at most, in bytes, with ``keep`` checkpoints at a time."""

    keep: int
    needed: int


def newest(folder: Path) -> Checkpoint | None:
    """The last whole checkpoint; those that are not are deleted."""
    whole: list[Checkpoint] = []
    for place in folder.glob("checkpoint-*"):
        named = _NAME.fullmatch(place.name)
        if named is None:
            continue
        step = int(named[1])
        if is_whole(place, step):
            whole.append(Checkpoint(place, step))
        else:
            shutil.rmtree(place)
    return max(whole, key=lambda checkpoint: checkpoint.step, default=None)


def is_whole(place: Path, step: int) -> bool:
    """Whether everything that the Trainer goes on from can be read: a killed process leaves files short or out."""
    try:
        state = json.loads((place / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    heads = [head for head in _HEADS if (place / head).exists()]
    return bool(
        state.get("global_step") == step
        and _is_whole_safetensors(place / _WEIGHTS)
        and all(zipfile.is_zipfile(place / name) for name in (*_TORCH, *heads))
    )


def room_for(weights: int, budget: int | None, free: int) -> Room:
    """How many checkpoints fit, at most two. ``weights``: bytes of the model's, in 32 bits; ``free`` on the disk.

    While one is written the older ones are still there; what is mixed later takes no more than that.
    Raises ConfigError for a ``budget`` and DiskFull for a disk that is too small for a single one.
    """
    most = free if budget is None else min(budget, free)
    fitting = [room for keep in range(1, _MOST + 1) if (room := Room(keep, _needed(weights, keep))).needed <= most]
    if fitting:
        return fitting[-1]
    needed = _needed(weights, 1)
    if needed > free:
        raise DiskFull(
            f"There is no room for this run: it takes {_size(needed)}, and {_size(free)} are free.",
            "Free some space, or pass --out on a larger disk. Nothing was begun.",
        )
    raise ConfigError(
        f"This run takes {_size(needed)} on the disk.", f"Pass --disk-budget {math.ceil(needed / 1e8) / 10} or more."
    )


def _needed(weights: int, keep: int) -> int:
    return weights * (keep + 1) * _COPIES


def _is_whole_safetensors(path: Path) -> bool:
    """Whether a file is as long as its header says (huggingface/safetensors, "Format")."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > size:
                return False
            header = json.loads(file.read(length))
    except (OSError, ValueError, struct.error):
        return False
    ends: list[int] = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
    return bool(size == 8 + length + max(ends, default=0))


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
