"""How many threads a computation should have."""

from __future__ import annotations

import os
from pathlib import Path


def physical_cores() -> int:
    """Cores that this process may use: the second thread of one only gets in the way of the first."""
    try:
        pairs = {
            (topology / "physical_package_id").read_text() + (topology / "core_id").read_text()
            for topology in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology")
        }
    except OSError:
        pairs = set()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 4
    return max(1, min(len(pairs) or usable, usable))
