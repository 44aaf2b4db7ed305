"""The program as a user starts it: real processes over a real folder, with the fake models."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import httpx

COMMAND = (sys.executable, "-m", "vaultbridge")


class Run(Protocol):
    """Runs one command, in this process since it ends soon; ``more`` are environment variables."""

    def __call__(self, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]: ...


def eventually(look: Callable[[], object], what: str, seconds: float = 15) -> float:
    """Look until it is true; the seconds that it took."""
    began = time.monotonic()
    while not look():
        assert time.monotonic() - began < seconds, what
        time.sleep(0.02)
    return time.monotonic() - began


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(home: Path, **more: str) -> dict[str, str]:
    """A user without settings or other programs' models of their own, and without the hub."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("VAULTBRIDGE_", "HF_", "OLLAMA_"))}
    folders = {"XDG_CONFIG_HOME": str(home / "config"), "XDG_DATA_HOME": str(home / "share"), "HOME": str(home)}
    return own | folders | {"HF_HUB_OFFLINE": "1"} | more


def command(home: Path, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], env=environment(home, **more), capture_output=True, text=True, timeout=60
    )


class Served:
    """A running ``vaultbridge serve``."""

    def __init__(self, home: Path, vault: Path, *arguments: object) -> None:
        self.home, self.vault, self.data = home, vault, home / "data"
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = home / "serve.log"
        self.client = httpx.Client(base_url=self.address, trust_env=False, timeout=20)
        self._began = time.monotonic()
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "serve", *self.place, "--backend", "fakes", "--port", str(self.port), *map(str, arguments)],
                env=environment(home),
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C goes to all its processes, and to none of ours
            )

    @property
    def place(self) -> tuple[str, ...]:
        """The flags that name the vault and the index."""
        return "--vault", str(self.vault), "--data", str(self.data)

    @property
    def server_file(self) -> Path:
        return next(self.data.rglob("server.json"), self.data / "server.json")

    def wait_for_health(self) -> float:
        """Seconds from the start of the process to the first answer."""
        eventually(self._is_healthy, f"no /health: {self.log.read_text()}")
        return time.monotonic() - self._began

    def _is_healthy(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return bool(self.client.get("/health").json()["name"] == "vaultbridge")
        except httpx.TransportError:
            return False

    def wait_until_indexed(self) -> None:
        self.wait_for_health()
        eventually(self.is_indexed, f"not indexed: {self.log.read_text()}", 30)

    def is_indexed(self) -> bool:
        response = self.client.get("/vault/status")
        if response.is_error:
            return False
        status = response.json()
        fresh, counts = status["freshness"], status["counts"]
        return bool(fresh["visible"] == fresh["wanted"] > 0 and counts["vectors"] == counts["chunks"])

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.client.get("/vault/status").raise_for_status().json()
        return status

    def found(self, text: str) -> list[str]:
        """The notes that hold ``text``'s words."""
        answer = self.client.get("/vault/search", params={"q": text, "mode": "keyword"}).raise_for_status()
        return [hit["note"] for hit in answer.json()["hits"]]

    def children(self) -> list[int]:
        """The processes that it started, oldest first."""
        return [
            int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]

    def interrupt(self) -> float:
        """Ctrl-C; the seconds to its end."""
        began = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(20)
        return time.monotonic() - began

    def kill(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def long_body(characters: int = 60_000) -> dict[str, Any]:
    """A question whose answer by the fake model, which repeats it, takes seconds."""
    text = " ".join(f"{number:05d}" for number in range(characters // 6))
    return {"model": "x@plain", "messages": [{"role": "user", "content": text}], "max_tokens": 2 * characters}


def event(line: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(line.removeprefix("data: "))
    return document
