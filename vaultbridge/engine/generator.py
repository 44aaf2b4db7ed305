"""The generator as the rest of the house sees it: a bounded queue in front of a child process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Collection, Iterator
from contextlib import aclosing, contextmanager

from vaultbridge.core.dialogue import Event, Failed, Finished, GeneratorInfo, GroundedPrompt, Sampling, Timings, Usage
from vaultbridge.core.errors import DeadlineExceeded, Overloaded, VaultbridgeError
from vaultbridge.engine.activity import Activity
from vaultbridge.engine.calls import Forget, Generate
from vaultbridge.engine.host import Host


class HostedGenerator:
    """Implements ``core.ports.Generator`` over a Host that runs a GeneratorWorker.

    A request may take ``deadline`` seconds in all, the loading of the model included. ``observe`` hears of every
    choice that is finished.
    """

    def __init__(
        self,
        name: str,
        host: Host,
        activity: Activity,
        queue_limit: int,
        deadline: float,
        observe: Callable[[Usage, Timings], None] = lambda usage, timings: None,
    ) -> None:
        self.name = name
        self._host = host
        self._activity = activity
        self._limit = queue_limit
        self._deadline = deadline
        self._observe = observe
        self._admitted = 0
        self._warming: asyncio.Task[Usage | None] | None = None

    @contextmanager
    def admit(self) -> Iterator[None]:
        """A place in the queue, held until the context ends. Raises Overloaded if all are taken."""
        if self._admitted >= self._limit:
            raise Overloaded(
                f"{self._admitted} requests are waiting already.", "Try again in a moment, or raise engine.queue."
            )
        self._stop_warming()
        self._admitted += 1
        try:
            with self._activity.answering():
                yield
        finally:
            self._admitted -= 1

    async def stream(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        """The events of one answer; an error is the last of them."""
        try:
            _, left = await self._loaded()
            async with aclosing(self._host.call(Generate(prompt, sampling, deadline=left))) as events:
                async for event in events:
                    if isinstance(event, Finished):
                        self._observe(event.usage, event.timings)
                    yield event
        except VaultbridgeError as error:
            yield Failed(error)

    async def info(self) -> GeneratorInfo:
        """What the model is, once it is loaded."""
        info, _ = await self._loaded()
        return info

    async def _loaded(self) -> tuple[GeneratorInfo, float]:
        """Wait for the model; what it is, and the seconds that are left of the deadline then."""
        began = time.monotonic()
        try:
            info = await asyncio.wait_for(self._host.ready(), self._deadline)
        except asyncio.TimeoutError:
            raise DeadlineExceeded(
                f"The model is not loaded after {self._deadline:.0f} s.", "Try again later, or raise engine.deadline."
            ) from None
        assert isinstance(info, GeneratorInfo)
        return info, self._deadline - (time.monotonic() - began)

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
            async with aclosing(self._host.call(Generate(prompt, Sampling(), warm=True))) as events:
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
        self._host.tell(Forget(frozenset(sources)))
