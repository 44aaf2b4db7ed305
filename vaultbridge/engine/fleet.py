"""The chat models of this computer: each is loaded when it is asked for, and leaves when its memory is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Literal

from vaultbridge.core.duration import NEVER
from vaultbridge.core.errors import NotReady, VaultbridgeError
from vaultbridge.core.ports import Clock, GeneratorRole
from vaultbridge.engine.berth import Berth, Load, Loaded
from vaultbridge.engine.generator import Home, HostedGenerator
from vaultbridge.engine.host import Host, State
from vaultbridge.engine.launch import Launch, launch_process

PRESSURE_SECONDS = 10.0
"""How often it is looked whether the computer runs short of memory."""


class Fleet:
    """Implements ``core.ports.Generators``. All methods belong to one event loop.

    The models that are loaded take no more than ``budget`` bytes together, unless one alone does. For one that is asked
    for, those that nobody uses make room, the least recently used first; one that is used is never ended, and who
    needs its room waits, in the order of arrival: behind them also those who ask a model that is loaded, or a busy one
    could be kept for ever. Who is let in stays until the end of the request.

    ``plan`` and ``installed`` look at the disk: how a model is run, and which there are, the usual one first.
    """

    name = "generator"

    def __init__(
        self,
        plan: Callable[[str], Load],
        installed: Callable[[], Sequence[str]],
        generator: Callable[[str, Home], HostedGenerator],
        budget: int,
        keep_alive: float,
        clock: Clock,
        launch: Launch = launch_process,
    ) -> None:
        self._plan = plan
        self._installed = installed
        self._generator = generator
        self._budget = budget
        self._keep_alive = keep_alive
        self._clock = clock
        self._launch = launch
        self._names: tuple[str, ...] = ()
        self._usual = ""
        self._chosen: dict[GeneratorRole, str] = {}
        self._berths: dict[str, Berth] = {}
        self._generators: dict[str, HostedGenerator] = {}
        self._door = asyncio.Lock()  # fair: who waits for room holds it
        self._left = asyncio.Event()
        self._closed = False

    # --- which there are ------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """All that can be asked, as of the last ``look``."""
        return self._names

    async def look(self) -> None:
        """See which models there are now. One that could not be loaded may be another file by now: it may try again."""
        names = tuple(dict.fromkeys(await asyncio.to_thread(self._installed)))
        self._names = names
        self._usual = self._usual if self._usual in names else next(iter(names), "")
        for berth in self._berths.values():
            berth.again = berth.host is not None and berth.host.state == "failed"

    def default(self, role: GeneratorRole = "chat") -> str:
        """The model for requests that name none of them; empty if there is no model."""
        chosen = self._chosen.get(role) or self._chosen.get("chat", "")
        return chosen if chosen in self._names else self._usual

    def choose(self, role: GeneratorRole, name: str) -> None:
        """Make a model the default; an empty name leaves it open again."""
        self._chosen[role] = name

    def of(self, name: str) -> HostedGenerator | None:
        """The model of that name, or else the default; None if there is no model."""
        name = name if name in self._names else self.default()
        if name and name not in self._generators:
            self._generators[name] = self._generator(name, self._berth(name))
        return self._generators.get(name)

    def forget(self, sources: Collection[str]) -> None:
        """Let every model that is loaded forget what it has cached of these sources' notes."""
        for generator in self._generators.values():
            generator.forget(sources)

    # --- which are loaded -----------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The default model's."""
        host = self._berth(self.default()).host
        return host.state if host is not None else "stopped"

    @property
    def reason(self) -> str:
        """Why the default model is not ready."""
        host = self._berth(self.default()).host
        return host.reason if host is not None else ""

    def loaded(self) -> list[Loaded]:
        """The models that are in memory."""
        found = []
        for berth in self._berths.values():
            if berth.load is not None and berth.host is not None and berth.host.state == "ready":
                idle = 0.0 if berth.users else self._clock.monotonic() - berth.left
                expires = self._clock.now() - idle + berth.keep_alive if berth.keep_alive < NEVER else None
                found.append(Loaded(berth.name, berth.load.needed, berth.load.context, expires))
        return found

    async def planned(self, name: str) -> Load:
        """How a model is run, or would be. Raises ModelMissing or ModelInvalid."""
        berth = self._berth(name)
        if berth.load is None:
            berth.load = await asyncio.to_thread(self._plan, name)
        return berth.load

    def context(self, name: str) -> int:
        """Tokens of a conversation with a model, as far as it is planned; 0 where it is not."""
        berth = self._berths.get(name)
        return berth.load.context if berth is not None and berth.load is not None else 0

    async def start(self) -> None:
        """Begin to load the default model before anybody asks; one that cannot be loaded says why when it is asked."""
        if name := self.default():
            berth = self._berth(name)
            with suppress(VaultbridgeError):
                await berth.enter(None)
                berth.leave()

    async def keep(self, name: str, keep_alive: float | None) -> Literal["load", "unload"]:
        """Load a model and keep it for so long; for no time at all: end it, as soon as nobody uses it.

        Says which it was; what is no model is always there. Raises what keeps the model from being loaded.
        """
        if name not in self._names:
            return "load"
        berth = self._berth(name)
        if keep_alive == 0:
            berth.keep_alive = 0.0
            await self._end_idle(berth)
            return "unload"
        host = await berth.enter(keep_alive)
        try:
            await host.ready()
        finally:
            berth.leave()
        return "load"

    async def watch(self, is_short: Callable[[], bool]) -> None:
        """End idle models, the least recently used first, one at a time, while the computer is short of memory."""
        while True:
            await self._clock.sleep(PRESSURE_SECONDS)
            if (idle := self._idle()) and is_short():
                await self._end_idle(idle[0])

    async def close(self) -> None:
        """End them all."""
        self._closed = True
        for berth in self._berths.values():
            if berth.leaving is not None:
                berth.leaving.cancel()
        await asyncio.gather(*(self._unload(berth) for berth in self._berths.values()))
        self._left.set()  # whoever waits for room hears that there is none

    async def _enter(self, berth: Berth, keep_alive: float | None) -> Host:
        """Wait for room, and hold it until ``leave``. Raises ModelMissing, ModelInvalid, NotReady at the end."""
        async with self._door:
            if berth.again:
                await self._unload(berth)
            load = await self.planned(berth.name)
            while not self._fits(berth, load.needed):
                await self._make_room(berth)
            if self._closed:
                raise NotReady("The server is shutting down.")
            if berth.leaving is not None:
                berth.leaving.cancel()
            if keep_alive is not None:
                berth.keep_alive = keep_alive
            if berth.host is None:
                berth.host = Host(berth.name, load.build, self._launch)
            berth.host.start()
            berth.users += 1
            return berth.host

    def _leave(self, berth: Berth) -> None:
        """Whoever came in with ``enter`` is done."""
        berth.users -= 1
        if not berth.users:
            berth.left = self._clock.monotonic()
            self._left.set()
            if berth.keep_alive < NEVER and not self._closed:
                berth.leaving = asyncio.create_task(self._expire(berth))

    def _berth(self, name: str) -> Berth:
        if name not in self._berths:
            self._berths[name] = Berth(name, self._keep_alive, self._enter, self._leave)
        return self._berths[name]

    def _fits(self, berth: Berth, needed: int) -> bool:
        taken = sum(other.needed for other in self._berths.values() if other is not berth)
        return not taken or taken + needed <= self._budget

    async def _make_room(self, berth: Berth) -> None:
        """End one idle model, or wait until somebody leaves one."""
        if idle := [other for other in self._idle() if other is not berth]:
            await self._unload(idle[0])
        else:
            self._left.clear()
            await self._left.wait()

    def _idle(self) -> list[Berth]:
        """Those that take memory for nobody, the least recently used first."""
        idle = [berth for berth in self._berths.values() if berth.needed and not berth.users]
        return sorted(idle, key=lambda berth: berth.left)

    async def _expire(self, berth: Berth) -> None:
        await self._clock.sleep(berth.keep_alive)
        await self._end_idle(berth)

    async def _end_idle(self, berth: Berth) -> None:
        async with self._door:
            if not berth.users:
                await self._unload(berth)

    async def _unload(self, berth: Berth) -> None:
        host, berth.host, berth.load = berth.host, None, None
        berth.keep_alive, berth.again = self._keep_alive, False
        if host is not None:
            await host.close()
