"""The generator as the rest of the house sees it: a bounded queue in front of a child process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Collection, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, Protocol

from vaultbridge.core.dialogue import Event, Failed, Finished, GeneratorInfo, GroundedPrompt, Sampling, Timings, Usage
from vaultbridge.core.errors import DeadlineExceeded, Overloaded, VaultbridgeError
from vaultbridge.core.ports import Permit
from vaultbridge.engine.activity import Activity
from vaultbridge.engine.calls import Forget, Generate
from vaultbridge.engine.host import Host

Observe = Callable[[Usage, Timings], None]


class Home(Protocol):
    """Where a model's process lives: a Host of its own, or a place in a Fleet."""

    async def enter(self, keep_alive: float | None) -> Host:
        """The process, which is not ended before ``leave``. Raises what keeps it from being started."""

    def leave(self) -> None:
        """The process is not needed any more; once for each ``enter``."""

    def tell(self, body: Any) -> None:
        """Send the process, if it runs, something whose answer nobody waits for."""


class HostedGenerator:
    """Implements ``core.ports.Generator`` over the process of a GeneratorWorker.

    A request may take ``deadline`` seconds in all, the loading of the model included. ``observe`` hears of every
    choice that is finished.
    """

    def __init__(
        self,
        name: str,
        home: Home,
        activity: Activity,
        queue_limit: int,
        deadline: float,
        observe: Observe = lambda usage, timings: None,
    ) -> None:
        self.name = name
        self._home = home
        self._activity = activity
        self._limit = queue_limit
        self._deadline = deadline
        self._observe = observe
        self._admitted = 0
        self._warming: asyncio.Task[Usage | None] | None = None

    @contextmanager
    def admit(self, keep_alive: float | None = None) -> Iterator[Permit]:
        """A place in the queue, held until the context ends. Raises Overloaded if all are taken."""
        if self._admitted >= self._limit:
            raise Overloaded(
                f"{self._admitted} requests are waiting already.", "Try again in a moment, or raise engine.queue."
            )
        self._stop_warming()
        self._admitted += 1
        try:
            with self._activity.answering(), self._stay(keep_alive) as stay:
                yield stay
        finally:
            self._admitted -= 1

    async def stream(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        """The events of one answer; an error is the last of them."""
        with self._stay() as stay:
            async with aclosing(stay.stream(prompt, sampling)) as events:
                async for event in events:
                    yield event

    async def info(self) -> GeneratorInfo:
        """What the model is, once it is loaded."""
        with self._stay() as stay:
            return await stay.info()

    async def warm(self, prompt: GroundedPrompt) -> Usage | None:
        """Prefill a prompt that may soon be asked; None if a real request or a newer call took its place."""
        self._stop_warming()
        if self._admitted:
            return None
        warming = self._warming = asyncio.create_task(self._prefill(prompt))
        try:
            await asyncio.wait([warming])
        finally:
            warming.cancel()  # whoever asked for it left
        return None if warming.cancelled() else warming.result()

    async def _prefill(self, prompt: GroundedPrompt) -> Usage | None:
        try:
            with self._stay() as stay:
                host, _ = await stay.loaded()
                async with aclosing(host.call(Generate(prompt, Sampling(), warm=True))) as events:
                    async for event in events:
                        if isinstance(event, Finished):
                            return event.usage
                        if isinstance(event, Failed):
                            raise event.error
        except Overloaded:  # the child knows of requests whose client has left already
            return None
        return None

    def _stop_warming(self) -> None:
        if self._warming is not None:
            self._warming.cancel()

    def forget(self, sources: Collection[str]) -> None:
        """Let the child forget what it has cached of these sources' notes. One that does not run has nothing."""
        self._home.tell(Forget(frozenset(sources)))

    @contextmanager
    def _stay(self, keep_alive: float | None = None) -> Iterator[_Stay]:
        stay = _Stay(self._home, keep_alive, self._deadline, self._observe)
        try:
            yield stay
        finally:
            stay.end()


class _Stay:
    """One request at the model, which it enters when it first needs it. Implements ``core.ports.Permit``."""

    def __init__(self, home: Home, keep_alive: float | None, deadline: float, observe: Observe) -> None:
        self._home = home
        self._keep_alive = keep_alive
        self._deadline = deadline
        self._observe = observe
        self._host: Host | None = None

    async def stream(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        """The events of one answer; an error is the last of them."""
        try:
            host, left = await self.loaded()
            async with aclosing(host.call(Generate(prompt, sampling, deadline=left))) as events:
                async for event in events:
                    if isinstance(event, Finished):
                        self._observe(event.usage, event.timings)
                    yield event
        except VaultbridgeError as error:
            yield Failed(error)

    async def info(self) -> GeneratorInfo:
        """What the model is, once it is loaded."""
        host, _ = await self.loaded()
        info = await host.ready()
        assert isinstance(info, GeneratorInfo)
        return info

    async def loaded(self) -> tuple[Host, float]:
        """Wait for the model; its process, and the seconds that are left of the deadline then."""
        began = time.monotonic()
        try:
            host = await asyncio.wait_for(self._arrive(), self._deadline)
        except asyncio.TimeoutError:
            raise DeadlineExceeded(
                f"The model is not loaded after {self._deadline:.0f} s.", "Try again later, or raise engine.deadline."
            ) from None
        return host, self._deadline - (time.monotonic() - began)

    async def _arrive(self) -> Host:
        if self._host is None:
            self._host = await self._home.enter(self._keep_alive)
        await self._host.ready()
        return self._host

    def end(self) -> None:
        """Leave, unless the model was never needed."""
        if self._host is not None:
            self._host = None
            self._home.leave()
