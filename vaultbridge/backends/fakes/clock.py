"""A Clock that stands still until the test moves it."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count

TURNS = 50
"""Turns of the event loop that a woken task gets before time goes on: enough for a few awaits in a row."""


class FakeClock:
    """Implements ``core.ports.Clock``. Only ``advance`` makes time pass; sleepers wake in the order they are due."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._start = now
        self._passed = 0.0
        self._jumped = 0.0
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._slept = asyncio.Event()

    def now(self) -> float:
        """Seconds since 1970."""
        return self._start + self._passed + self._jumped

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._passed

    async def sleep(self, seconds: float) -> None:
        """Wait for ``advance``."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._passed + seconds, next(self._order), future))
        self._slept.set()
        await future

    async def advance(self, seconds: float) -> None:
        """Let time pass. Whoever wakes gets to run, and may sleep and wake again, before the next one wakes."""
        end = self._passed + seconds
        await _others_run()
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                self._passed = due
                future.set_result(None)
                await _others_run()
        self._passed = end

    def jump(self, seconds: float) -> None:
        """Set the time of day; what never jumps does not, as while a computer sleeps."""
        self._jumped += seconds

    async def asleep(self, seconds: float) -> None:
        """Wait until somebody waits for ``seconds`` or longer: work in threads takes its own time to get there."""
        while not any(due - self._passed >= seconds and not future.done() for due, _, future in self._sleepers):
            self._slept.clear()
            await self._slept.wait()


async def _others_run() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)
