"""Where torch computes on this computer, and how much memory is free there."""

from __future__ import annotations

from typing import Literal

import psutil

from vaultbridge.core.errors import ConfigError

Device = Literal["cpu", "cuda", "mps"]


def torch_device(wanted: str) -> Device:
    """The device of that name, or for ``auto`` the fastest one. Raises ConfigError if torch has no such device here."""
    import torch

    there: dict[Device, bool] = {
        "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True
    }  # fmt: skip
    found = next((device for device, usable in there.items() if usable and wanted in ("auto", device)), None)
    if found is None:
        raise ConfigError(
            f"torch finds no device {wanted} here.", "Pass --device cpu, or a torch that was built for it."
        )
    return found


def free_memory(device: Device) -> int:
    """Bytes."""
    if device != "cuda":
        return int(psutil.virtual_memory().available)
    import torch

    free, _ = torch.cuda.mem_get_info()
    return int(free)
