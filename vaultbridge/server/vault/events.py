"""``/vault/events``: the status whenever it changes, for whoever shows it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Literal

from typing_extensions import TypedDict

from vaultbridge.core.errors import VaultbridgeError
from vaultbridge.server.vault.views import StatusView

INTERVAL_SECONDS = 0.5
LARGEST_PART = 0.1
"""Of the time that may be spent on telling the status: a very large vault takes a while to be counted."""


class StatusEvent(TypedDict):
    """What ``/vault/status`` says now."""

    type: Literal["status"]
    status: StatusView


class StatusEvents:
    """The status for one client: at once, then each time that it has changed, at most twice a second."""

    def __init__(self, first: StatusEvent, status: Callable[[], Awaitable[StatusView]]) -> None:
        self._status = status
        self.last = first
        """What was told last."""

    async def told(self) -> AsyncGenerator[StatusEvent, None]:
        """Look again and again, until it cannot be told any more."""
        yield self.last
        took = 0.0
        while True:
            await asyncio.sleep(max(INTERVAL_SECONDS, took / LARGEST_PART))
            began = time.monotonic()
            try:
                event: StatusEvent = {"type": "status", "status": await self._status()}
            except VaultbridgeError:
                return  # who connects again hears of it
            took = time.monotonic() - began
            if event != self.last:
                self.last = event
                yield event
