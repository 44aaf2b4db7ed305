"""The generator as the rest of the house sees it: a bounded queue in front of a child process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager

from vaultbridge.core.dialogue import Event, Failed, GroundedPrompt, Sampling
from vaultbridge.core.errors import Overloaded, VaultbridgeError
from vaultbridge.engine.activity import Activity
from vaultbridge.engine.host import Host
from vaultbridge.engine.worker import Generate


class HostedGenerator:
    """Implements ``core.ports.Generator`` over a Host that runs a GeneratorWorker."""

    def __init__(self, name: str, host: Host, activity: Activity, queue_limit: int) -> None:
        self.name = name
        self._host = host
        self._activity = activity
        self._limit = queue_limit
        self._admitted = 0

    @contextmanager
    def admit(self) -> Iterator[None]:
        """A place in the queue, held until the context ends. Raises Overloaded if all are taken."""
        if self._admitted >= self._limit:
            raise Overloaded(
                f"{self._admitted} requests are waiting already.", "Try again in a moment, or raise engine.queue."
            )
        self._admitted += 1
        try:
            with self._activity.answering():
                yield
        finally:
            self._admitted -= 1

    async def stream(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        """The events of one answer; an error is the last of them."""
        try:
            async with aclosing(self._host.call(Generate(prompt, sampling))) as events:
                async for event in events:
                    yield event
        except VaultbridgeError as error:
            yield Failed(error)
