"""The server's door without sockets: bytes in, status and bytes out; behind it someone who only listens."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, cast

import numpy as np
from starlette.types import Message, Scope

from tests.server.building import Named
from vaultbridge.catalog.inventory import Inventory
from vaultbridge.catalog.pull import Puller
from vaultbridge.catalog.roles import Roles
from vaultbridge.chat.service import AnswerEvent, ChatService, Grounding, Request, Sources, Warmed
from vaultbridge.core.dialogue import CallHead, Conversation, Finished, Piece, Sampling, Usage
from vaultbridge.core.ports import ChunkStore
from vaultbridge.core.search import EmbedderInfo, Embedding, Freshness, Lane
from vaultbridge.engine.fleet import Fleet
from vaultbridge.retrieve.retriever import Retriever
from vaultbridge.server.app import Application
from vaultbridge.server.guard import GuardOptions
from vaultbridge.server.services import IndexView, ModelNames, Services


class Listener:
    """Stands where the chat service stands: looks at what arrives, and answers at once."""

    admitted = 0

    async def answer(self, request: Request) -> AsyncGenerator[AnswerEvent, None]:
        """A word, and a call if there are tools."""
        heard(request)
        yield Grounding((), (), Freshness(1, 1, 0))
        yield Piece("Well.")
        if isinstance(request.prompt, Conversation) and request.prompt.tools:
            yield Piece("{}", kind="tool_call", call=CallHead(0, "call_0", request.prompt.tools[0].name))
        yield Sources(())
        for choice in range(request.sampling.n):
            yield Finished("stop", Usage(1, 1), choice=choice)

    async def warm(self, request: Request) -> Warmed:
        """Nothing to warm."""
        heard(request)
        return Warmed((), None)


def heard(request: Request) -> None:
    """Assert that a request is sound; the one number in it that may be infinite is how long a model stays."""
    assert request.keep_alive is None or request.keep_alive >= 0
    sound(replace(request, keep_alive=None))


def sound(word: object) -> None:
    """Assert that all text in a word can be said, all numbers are finite, and a sampling is what samplers take."""
    if isinstance(word, str):
        word.encode()
    elif isinstance(word, float):
        assert math.isfinite(word)
    elif isinstance(word, Mapping):
        for key, value in word.items():
            sound(key)
            sound(value)
    elif isinstance(word, (tuple, list)):
        for item in word:
            sound(item)
    elif is_dataclass(word):
        for one in fields(word):
            sound(getattr(word, one.name))
    if isinstance(word, Sampling):
        _samplable(word)


def _samplable(sampling: Sampling) -> None:
    assert 0 <= sampling.temperature <= 2
    assert 0 <= sampling.top_p <= 1
    assert 0 <= sampling.min_p <= 1
    assert 0 <= sampling.top_k < 2**31
    assert sampling.repeat_penalty > 0
    assert 1 <= sampling.n <= 8
    assert sampling.max_tokens is None or 1 <= sampling.max_tokens < 2**31
    assert 0 <= sampling.min_tokens < 2**31
    assert sampling.logprobs is None or 0 <= sampling.logprobs <= 20


class Blind:
    """Implements ``core.ports.EmbeddingService``: every text is the same to it."""

    def now(self) -> Blind:
        """Itself."""
        return self

    async def info(self) -> EmbedderInfo:
        """A space of four dimensions."""
        return EmbedderInfo("fake-embedder", "blind", 4, 512, 0.5)

    async def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        """The same vector for each."""
        sound(list(texts))
        return [Embedding(np.array([1, 0, 0, 0], np.float32))] * len(texts)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: bytes


class Door:
    """The whole application, called as an ASGI server calls it."""

    def __init__(self) -> None:
        nobody: Any = None  # the routes that are fuzzed do not look for notes
        services = Services(
            chat=cast(ChatService, Listener()),
            retriever=cast(Retriever, nobody),
            store=cast(ChunkStore, nobody),
            index=cast(IndexView, nobody),
            embeddings=Blind(),
            reranker=None,
            search_models=(),
            fleet=Fleet(nobody, nobody, nobody, 0, 0, nobody),  # without any model
            roles=cast(Roles, nobody),
            inventory=cast(Inventory, nobody),
            names=ModelNames(Named("fake"), "fake-embedder"),
            vault_id="v",
            vault_name="Vault",
            puller=lambda: cast(Puller, nobody),
        )
        self._app = Application(GuardOptions(), services)
        self._loop = asyncio.new_event_loop()

    def close(self) -> None:
        """End the loop, and what outlives its answers: sse_starlette's watcher."""
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
            with suppress(asyncio.CancelledError):
                self._loop.run_until_complete(task)
        self._loop.close()

    def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
        """Ask. An exception that leaves the application is raised."""
        return self._loop.run_until_complete(self._post(path, body, headers or {}))

    async def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        given = {"host": "localhost", "content-type": "application/json", "content-length": str(len(body)), **headers}
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in given.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        status, parts = 0, []

        async def receive() -> Message:
            return messages.pop() if messages else await asyncio.get_running_loop().create_future()

        async def send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            parts.append(message.get("body", b""))

        await self._app(scope, receive, send)
        return Reply(status, b"".join(parts))
