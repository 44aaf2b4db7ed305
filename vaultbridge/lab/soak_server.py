"""A real server for ``lab.soak``, and what its clients hear of it."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from vaultbridge.lab.soak_asks import NOTES, Ask

PATIENCE_SECONDS = 300.0
"""Nothing that the server is asked may take longer."""
FAKES = "fakes"
"""The model that is none."""


@dataclass(slots=True)
class Heard:
    """What one client has heard so far: chunks of text, ends of choices, the code of the error that ended it.

    ``param`` and ``reason`` are the error's own, ``retry_after`` the seconds after which to ask again, 0 if none are
    told. ``first`` and ``last`` are when its first text and the latest of anything came, in seconds of the monotonic
    clock. ``speaking`` is set when there is text, or will be none.
    """

    status: int = 0
    texts: int = 0
    ends: int = 0
    error: str = ""
    param: str = ""
    reason: str = ""
    retry_after: float = 0.0
    first: float = 0.0
    last: float = 0.0
    speaking: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, document: dict[str, Any]) -> None:
        """A chunk of a stream, or a whole body."""
        self.last = time.monotonic()
        if error := document.get("error"):
            self.error, self.param, self.reason = error["code"], error["param"] or "", error["message"]
            return
        for choice in document.get("choices", ()):
            said = choice.get("delta") or choice.get("message") or choice
            if said.get("content") or said.get("text"):
                self.first = self.first or self.last
                self.texts += 1
                self.speaking.set()
            self.ends += choice["finish_reason"] is not None

    def fault(self, choices: int) -> str:
        """What is wrong with an answer that should be whole; empty if nothing is."""
        if self.status == 200 and not self.error and self.ends == choices:
            return ""
        return f"an answer with status {self.status}, error {self.error or 'none'}, {self.ends} of {choices} ends"


class Server:
    """A running ``vaultbridge serve``."""

    def __init__(self, process: subprocess.Popen[bytes], address: str, log: Path) -> None:
        self._process = psutil.Process(process.pid)
        self._address = address
        self._log = log

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """Connections to it, as many as are wanted."""
        # Given up before the server gives them up: a connection that both let go of is nobody's fault.
        limits = httpx.Limits(max_connections=None, keepalive_expiry=2)
        async with httpx.AsyncClient(
            base_url=self._address, limits=limits, timeout=PATIENCE_SECONDS, trust_env=False
        ) as client:
            yield client

    def generator(self) -> psutil.Process:
        """The process that the chat model is in: without an embedder the only one that was spawned."""
        spawned = self._models()
        if len(spawned) != 1:
            raise SystemExit(f"The server should have one process for its model, and has {len(spawned)}.")
        return spawned[0]

    def memory(self) -> dict[str, float]:
        """Resident megabytes of the server's process, and of its models' together."""
        processes = {"server": [self._process], "models": self._models()}
        return {name: sum(one.memory_info().rss for one in parts) / 1e6 for name, parts in processes.items()}

    def _models(self) -> list[psutil.Process]:
        return [child for child in self._process.children() if "--multiprocessing-fork" in child.cmdline()]

    def unforeseen(self) -> int:
        """How many errors it has logged that nobody foresaw."""
        return self._log.read_text(encoding="utf-8", errors="replace").count("Traceback")


@contextmanager
def serving(model: str, slots: int) -> Iterator[Server]:
    """A server over a few notes, its model loaded, until the context ends; ``fakes``: all that needs no model."""
    with tempfile.TemporaryDirectory(prefix="vaultbridge-soak-", ignore_cleanup_errors=True) as scratch:
        vault, settings, log = Path(scratch, "vault"), Path(scratch, "vaultbridge.toml"), Path(scratch, "log")
        vault.mkdir()
        for name, text in NOTES.items():
            (vault / name).write_text(text, encoding="utf-8")
        settings.write_text(f"[engine]\nslots = {slots}\n", encoding="utf-8")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        flags = ["--vault", str(vault), "--data", str(Path(scratch, "data")), "--config", str(settings)]
        flags += ["--backend", FAKES] if model == FAKES else ["--model", model, "--embedder", "none"]
        flags += ["--port", str(port)]
        with log.open("wb") as out:
            process = subprocess.Popen([sys.executable, "-m", "vaultbridge", "serve", *flags], stdout=out, stderr=out)
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for_model(process, address, log)
            yield Server(process, address, log)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for_model(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            models = httpx.get(f"{address}/health", trust_env=False).json()["models"]
        except httpx.TransportError:
            models = {}  # it does not listen yet
        if models and models["generator"]["state"] == "ready":
            return
        time.sleep(0.1)
    raise SystemExit(f"The server did not start:\n{log.read_text(encoding='utf-8', errors='replace')}")


async def listen(client: httpx.AsyncClient, ask: Ask, heard: Heard, most_texts: int = 0) -> None:
    """Ask, and hear the answer to its end; with ``most_texts``, leave after so many chunks of text."""
    try:
        async with client.stream("POST", ask.path, json=ask.body) as response:
            heard.status = response.status_code
            heard.retry_after = float(response.headers.get("retry-after", 0))
            if not response.headers["content-type"].startswith("text/event-stream"):
                heard.take(json.loads(await response.aread()))
                return
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    heard.take(json.loads(line.removeprefix("data: ")))
                    if most_texts and heard.texts >= most_texts:
                        return
    except httpx.TransportError as error:
        heard.error = type(error).__name__


async def answered(client: httpx.AsyncClient, ask: Ask, heard: Heard | None = None) -> Heard:
    """What a client hears who waits for the end."""
    heard = heard or Heard()
    try:
        await asyncio.wait_for(listen(client, ask, heard), PATIENCE_SECONDS)
    except asyncio.TimeoutError:
        heard.error = "no end"
    heard.speaking.set()
    return heard
