"""Whether this computer runs on its battery."""

from __future__ import annotations

import psutil


def on_battery() -> str:
    """``on battery`` if no charger is plugged in; empty if one is, or if there is no battery that anybody knows of."""
    # Not every system can be asked.
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return "on battery" if battery is not None and battery.power_plugged is False else ""
