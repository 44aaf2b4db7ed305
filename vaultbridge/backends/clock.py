"""The computer's clock."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """Implements ``core.ports.Clock``."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
