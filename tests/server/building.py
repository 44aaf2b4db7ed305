"""A house over a small vault with the fake models, and servers in front of it, in a thread of their own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import uvicorn

from tests.chat.houses import Only
from vaultbridge.backends.fakes.clock import FakeClock
from vaultbridge.chat.service import ChatService
from vaultbridge.core.dialogue import Event, GeneratorInfo, GroundedPrompt, Sampling, Usage
from vaultbridge.core.errors import Overloaded
from vaultbridge.core.ports import GeneratorRole, Generators, Permit
from vaultbridge.server.app import Application
from vaultbridge.server.guard import GuardOptions
from vaultbridge.server.limits import LimitOptions
from vaultbridge.server.listen import configuration
from vaultbridge.server.metrics import Metrics
from vaultbridge.server.protocol import BoundedHttp
from vaultbridge.server.services import Services
from vaultbridge.settings import load_settings
from vaultbridge.wiring import House, open_house

T = TypeVar("T")

NOTES: dict[str, bytes] = {
    "Garden/Tomatoes.md": b"# Tomatoes\n\n## Watering\n\nWater the tomatoes every second morning in summer.\n\n"
    b"## Soil\n\nLoose loam with compost suits the plants.\n",
    "Garden/Bees.md": b"---\ntags: [insects]\n---\n# Bees\n\nThe hive stands behind the shed.\n",
    "厨房/红烧肉.md": "# 红烧肉\n\n## 炖煮\n\n红烧肉要用小火慢慢炖一个半小时。\n".encode(),
    "Work/C# notes #1.md": b"# Delegates\n\nA delegate is a typed function reference.\n",
    "Private/Diary.md": b"# Diary\n\nThe secret combination is seven.\n",
    "Latin.md": "# Caf\xe9\n".encode("latin-1"),
    ".vaultbridgeignore": b"Private/\n",
}
TOMATOES = "How often should I water the tomatoes in summer?"
TOMATOES_LINK = "[[Tomatoes#Watering]]"
CHINESE = "红烧肉要炖多久？"
CHINESE_LINK = "[[红烧肉#炖煮]]"


def write_vault(root: Path) -> Path:
    for name, content in NOTES.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return root


class Building:
    """The house; ``serve`` puts a server in front of it, ``await_`` runs something in its loop."""

    def __init__(self, vault: Path, data: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._leaving: asyncio.Event
        self._servers: list[tuple[uvicorn.Server, asyncio.Task[None]]] = []
        settings = load_settings(None, {"vault": vault, "data": data, "models.backend": "fakes"})
        opened: asyncio.Future[House] = asyncio.run_coroutine_threadsafe(self._future(), self._loop).result()
        self._living = asyncio.run_coroutine_threadsafe(self._live(settings, opened), self._loop)
        self.house = self.await_(_result(opened))
        self.services: Services = self.house.services

    async def _future(self) -> asyncio.Future[House]:
        return asyncio.get_running_loop().create_future()

    async def _live(self, settings: Any, opened: asyncio.Future[House]) -> None:
        leaving = asyncio.Event()
        self._leaving = leaving
        try:
            async with open_house(settings) as house:
                await house.indexer.sync()
                await house.indexer.settled()
                opened.set_result(house)
                await leaving.wait()
        except BaseException as error:
            if not opened.done():
                opened.set_exception(error)
            raise

    def await_(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def serve(
        self,
        services: Services | None = None,
        options: GuardOptions | None = None,
        limits: LimitOptions | None = None,
        protocol: type[BoundedHttp] = BoundedHttp,
    ) -> str:
        """The address of a new server."""
        return self.application(services, options, limits, protocol)[1]

    def application(
        self,
        services: Services | None = None,
        options: GuardOptions | None = None,
        limits: LimitOptions | None = None,
        protocol: type[BoundedHttp] = BoundedHttp,
    ) -> tuple[Application, str]:
        """A new application and the address of a server in front of it."""
        application = Application(options or GuardOptions(), services or self.services, limits)
        listener = socket.create_server(("127.0.0.1", 0))
        self.await_(self._start(configuration(application, protocol), listener))
        return application, f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def _start(self, configured: uvicorn.Config, listener: socket.socket) -> None:
        server = uvicorn.Server(configured)
        self._servers.append((server, asyncio.create_task(server.serve([listener]))))

    def speaking(self, generator: ScriptedGenerator) -> Services:
        """The same services with another generator, and metrics of its own."""
        metrics = Metrics()
        return replace(self.services, chat=self.chat(Only(generator), metrics), metrics=metrics)

    def chat(self, generators: Generators, metrics: Metrics | None = None) -> ChatService:
        return ChatService(
            self.services.retriever,
            self.services.store,
            generators,
            freshness=lambda: self.services.index.freshness,
            notes_tokens=1000,
            max_tokens=1024,
            fetch_command="vaultbridge models pull x",
            clock=FakeClock(),
            ended=(metrics or Metrics()).ended,
        )

    def close(self) -> None:
        for server, _ in self._servers:
            server.should_exit = True
        for _, task in self._servers:
            self.await_(_result(task))
        self._loop.call_soon_threadsafe(self._leaving.set)
        self._living.result(30)
        self.await_(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


async def _cancel_all() -> None:
    """sse_starlette's watcher outlives its servers."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _result(future: asyncio.Future[T]) -> T:
    return await future


class Named:
    """Implements ``server.services.ChatModels``; the first is the usual one."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def default(self, role: GeneratorRole = "chat") -> str:
        return next(iter(self.names), "")


WARM_USAGE = Usage(100, 0, 40)
Script = Callable[[GroundedPrompt, Sampling], AsyncGenerator[Event, None]]


class ScriptedGenerator:
    """Implements ``core.ports.Generator`` with events that a test writes; counts the answers that run.

    Warm calls are ``warmed`` while nothing runs, ``forgotten`` is what it was told to forget.
    """

    name = "scripted"

    def __init__(self, script: Script, queue: int = 8) -> None:
        self._script = script
        self._queue = queue
        self.admitted = 0
        self.running = 0
        self.prompts: list[GroundedPrompt] = []
        self.sampling: list[Sampling] = []
        self.warmed: list[GroundedPrompt] = []
        self.forgotten: list[set[str]] = []

    @contextmanager
    def admit(self, keep_alive: float | None = None) -> Iterator[Permit]:
        if self.admitted >= self._queue:
            raise Overloaded("The queue is full.", "Try again in a moment.")
        self.admitted += 1
        try:
            yield self
        finally:
            self.admitted -= 1

    async def stream(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        self.prompts.append(prompt)
        self.sampling.append(sampling)
        self.running += 1
        try:
            async for event in self._script(prompt, sampling):
                yield event
        finally:
            self.running -= 1

    async def info(self) -> GeneratorInfo:
        return GeneratorInfo(self.name, 8192, chat=True)

    async def warm(self, prompt: GroundedPrompt) -> Usage | None:
        if self.admitted:
            return None
        self.warmed.append(prompt)
        return WARM_USAGE

    def forget(self, sources: Collection[str]) -> None:
        self.forgotten.append(set(sources))
