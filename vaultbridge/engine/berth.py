"""A model's place in memory: how it would be loaded, its process while it is, who uses it and how long it stays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from vaultbridge.engine.child import Build
from vaultbridge.engine.host import Host


@dataclass(frozen=True, slots=True)
class Load:
    """How a model is run: what its process makes, the bytes that it will take, the tokens of a conversation.

    ``chosen`` says in a line what was decided, if anything was.
    """

    build: Build
    needed: int = 0
    context: int = 0
    chosen: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that is loaded, and when it leaves if nobody asks it any more, in seconds since 1970; None: never."""

    name: str
    needed: int = 0
    context: int = 0
    expires: float | None = None


class Berth:
    """One model's place, and its process while it has one. Implements ``engine.generator.Home``."""

    def __init__(
        self,
        name: str,
        keep_alive: float,
        enter: Callable[[Berth, float | None], Awaitable[Host]],
        leave: Callable[[Berth], None],
    ) -> None:
        self.name = name
        self.keep_alive = keep_alive
        self.load: Load | None = None
        self.host: Host | None = None
        self.again = False  # it could not be loaded, and may be tried again
        self.users = 0
        self.left = 0.0  # when nobody used it any more, by the monotonic clock
        self.leaving: asyncio.Task[None] | None = None
        self._enter, self._leave = enter, leave

    async def enter(self, keep_alive: float | None) -> Host:
        """Use the model: there is room for it from now on, and its process is started."""
        return await self._enter(self, keep_alive)

    def leave(self) -> None:
        """Use it no longer."""
        self._leave(self)

    def tell(self, body: Any) -> None:
        """Send its process, if there is one, something whose answer nobody waits for."""
        if self.host is not None:
            self.host.tell(body)

    @property
    def needed(self) -> int:
        """Bytes that it takes now."""
        alive = self.load is not None and self.host is not None and self.host.state != "failed"
        return self.load.needed if self.load is not None and alive else 0
