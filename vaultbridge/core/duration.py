"""How long something lasts, as people write it."""

from __future__ import annotations

import math
import re

NEVER = math.inf
"""Seconds until something that does not end by itself."""

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)"
_WHOLE = re.compile(rf"([-+]?)((?:{_PART})+|\d+(?:\.\d+)?)")
_PARTS = re.compile(_PART)


def seconds_of(duration: float | str) -> float:
    """Seconds, or a text such as ``5m``, ``1h30m`` or ``90``; whatever is negative is ``NEVER``. Raises ValueError."""
    if isinstance(duration, str):
        written = _WHOLE.fullmatch(duration.strip())
        if written is None:
            raise ValueError('a duration is seconds, or a text such as "5m" or "1h30m"')
        sign, size = written[1], written[2]
        parts = _PARTS.findall(size)
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts) if parts else float(size)
        duration = -seconds if sign == "-" else seconds
    return NEVER if duration < 0 else float(duration)


def in_words(seconds: float) -> str:
    """About how long that is, for people: ``40 seconds``, ``12 minutes``, ``3 hours``."""
    for unit, size in (("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
