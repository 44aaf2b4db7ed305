"""What a model can run on: this computer's memory, and what llama.cpp, as it is built here, finds on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Device:
    """One that computes. ``memory`` and ``free`` in bytes; those of an integrated one are the computer's own."""

    name: str
    description: str
    kind: Literal["cpu", "gpu", "integrated", "accelerator"]
    memory: int
    free: int


@dataclass(frozen=True, slots=True)
class LlamaBuild:
    """``features`` as llama.cpp names them (``AVX2``, ``NEON``, ``CUDA``); ``threads``: as many as it would use.

    ``repacked``: types of weights that it copies into another order when it loads them, for its kernels on this CPU.
    """

    version: str
    features: tuple[str, ...]
    devices: tuple[Device, ...]
    threads: int
    repacked: frozenset[str]

    @property
    def gpu(self) -> Device | None:
        """The one with the most memory; None if there is none."""
        found = (device for device in self.devices if device.kind in ("gpu", "integrated"))
        return max(found, key=lambda device: device.memory, default=None)


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes: ``total`` of the computer, ``available`` without pushing out what runs, ``gpu`` free on a card of its own.

    ``shared``: there is a GPU that uses the computer's memory.
    """

    total: int
    available: int
    gpu: int = 0
    shared: bool = False
