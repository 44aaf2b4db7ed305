"""The memory of this computer, as the system tells it."""

from __future__ import annotations

import psutil

from vaultbridge.core.machine import LlamaBuild, Memory


def memory(build: LlamaBuild | None = None) -> Memory:
    """All of it, and what is available; ``build`` knows of a GPU."""
    system = psutil.virtual_memory()
    gpu = build.gpu if build else None
    own = gpu.free if gpu and gpu.kind == "gpu" and not _shares(gpu.name) else 0
    return Memory(system.total, system.available, own, shared=gpu is not None and not own)


def _shares(name: str) -> bool:
    """Metal calls Apple's GPUs by no kind of their own, though they have no memory of their own."""
    return name.lower().startswith(("metal", "mtl"))
