"""From a storm of hints to batches: wait for quiet, but never longer than a ceiling."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass

from vaultbridge.core.ports import Clock

QUIET_SECONDS = 0.25
CEILING_SECONDS = 1.0
STORM_PATHS = 256
"""More paths than this come from git or a sync tool."""
STORM_CEILING_SECONDS = 5.0
"""The ceiling of a storm: what is read while it is being written is read twice, and takes turns with the writer."""


@dataclass(frozen=True, slots=True)
class Hints:
    """Absolute paths that may have changed; ``everything`` if any may have."""

    paths: frozenset[str]
    everything: bool = False


class Settler:
    """Collects hints until the vault is quiet. Hints are never lost: one that comes late is in the next batch."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._handing_on = threading.Lock()
        self._heard: list[str | None] = []
        self._paths: set[str] = set()
        self._everything = False
        self._last = 0.0
        self._arrived = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def hint(self, path: str | None) -> None:
        """Note a hint, from any thread; None: everything may have changed."""
        with self._handing_on:
            waiting = bool(self._heard)
            self._heard.append(path)
        # One call for all that come before the loop gets to it: in a storm, each would wake it and hold up a stream.
        if not waiting and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take)

    def _take(self) -> None:
        with self._handing_on:
            heard, self._heard = self._heard, []
        self._everything = self._everything or None in heard
        self._paths.update(path for path in heard if path is not None)
        self._last = self._clock.monotonic()
        self._arrived.set()

    async def next(self, patience: float | None = None) -> Hints | None:
        """The next batch: the first hint opens it, a while without another or the ceiling close it.

        None if no hint comes within ``patience`` seconds.
        """
        if not await self._opened(patience):
            return None
        first = self._clock.monotonic()
        while True:
            now = self._clock.monotonic()
            ceiling = STORM_CEILING_SECONDS if len(self._paths) > STORM_PATHS else CEILING_SECONDS
            wait = min(self._last + QUIET_SECONDS, first + ceiling) - now
            if wait <= 0:
                break
            await self._clock.sleep(wait)
        hints = Hints(frozenset(self._paths), self._everything)
        self._paths, self._everything = set(), False
        self._arrived.clear()
        return hints

    async def _opened(self, patience: float | None) -> bool:
        if patience is None:
            return await self._arrived.wait()
        arrival = asyncio.create_task(self._arrived.wait())
        timer = asyncio.create_task(self._clock.sleep(patience))
        try:
            await asyncio.wait({arrival, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            arrival.cancel()
            timer.cancel()
        return self._arrived.is_set()
