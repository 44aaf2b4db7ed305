"""``python -m vaultbridge.lab.follow VAULT``: how fast a real server follows a vault.

Works on a copy of the vault. Measures, in seconds: process start to ``/health``, to the first keyword hit, to every
note by keyword, to every vector; a save, a folder move, a rename and a deletion to when ``/vault/search`` shows them,
with the texts that each embedded; a stop and a restart. Prints one JSON document.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psutil
import typer

PATIENCE_SECONDS = 1800.0
SAVES = 5


class Served:
    """A server process over one vault, and what it says."""

    def __init__(self, vault: Path, data: Path, flags: list[str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "vaultbridge", "serve", "--vault", str(vault), "--data", str(data)]
        self.started = time.monotonic()
        self._process = subprocess.Popen([*command, "--port", str(port), *flags], stderr=subprocess.DEVNULL)
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)
        self.most_memory = 0.0
        """The largest of what ``memory`` was, looked at whenever something is waited for."""

    def get(self, path: str, **parameters: Any) -> Any:
        """A JSON document, or None while the server is not ready to give it."""
        with suppress(httpx.HTTPError):
            response = self._http.get(path, params=parameters)
            return response.json() if response.is_success else None
        return None

    def until(self, condition: Callable[[], object]) -> float:
        """Seconds until ``condition`` holds."""
        begun = time.monotonic()
        while not condition():
            if time.monotonic() - begun > PATIENCE_SECONDS or self._process.poll() is not None:
                raise SystemExit("the server did not get there")
            self.memory()
            time.sleep(0.01)
        return round(time.monotonic() - begun, 2)

    def memory(self) -> float:
        """Megabytes of the server's own process, without its models'."""
        now = round(psutil.Process(self._process.pid).memory_info().rss / 1e6)
        self.most_memory = max(self.most_memory, now)
        return now

    def since_start(self, condition: Callable[[], object]) -> float:
        """Seconds from the start of the process until ``condition`` holds."""
        self.until(condition)
        return round(time.monotonic() - self.started, 2)

    def answer(self, question: str, max_tokens: int) -> Any:
        """The reply to a question, at temperature 0, with the citations as a field. Raises what the server says."""
        body = {
            "messages": [{"role": "user", "content": question}],
            "temperature": 0,
            "max_tokens": max_tokens,
            "vaultbridge": {"sources": "field"},
        }
        response = self._http.post("/v1/chat/completions", json=body, timeout=PATIENCE_SECONDS)
        response.raise_for_status()
        return response.json()

    def found(self, text: str) -> list[str]:
        """The notes of the best keyword hits."""
        hits = (self.get("/vault/search", q=text, mode="keyword", k=5) or {"hits": []})["hits"]
        return [hit["note"] for hit in hits]

    def caught_up(self) -> bool:
        """Whether every seen change is searchable by keyword."""
        status = self.get("/vault/status")
        return bool(status) and status["freshness"]["visible"] == status["freshness"]["wanted"] > 0

    def complete(self) -> bool:
        """Whether every chunk has its vector, too."""
        status = self.get("/vault/status")
        return self.caught_up() and status["counts"]["vectors"] == status["counts"]["chunks"]

    def embedded(self) -> int:
        """Texts embedded since the start, once everything is."""
        self.until(self.complete)
        return int(self.get("/vault/status")["embedded"])

    def stop(self) -> float:
        """Seconds from Ctrl-C to the end."""
        begun = time.monotonic()
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)
        return round(time.monotonic() - begun, 2)


def measure(vault: Path, data: Path, flags: list[str]) -> dict[str, Any]:
    """All figures; ``vault`` is changed."""
    server = Served(vault, data, flags)
    figures: dict[str, Any] = {"health": server.since_start(lambda: server.get("/health"))}
    figures["keyword_complete"] = server.since_start(server.caught_up)
    figures["vectors_complete"] = server.since_start(server.complete)
    figures["counts"] = server.get("/vault/status")["counts"]
    saves = []
    for number in range(SAVES):
        note, word = f"follow {number}.md", f"xylotron{number}"
        (vault / note).write_text(f"# Follow\n\nThe {word} hums at dawn.\n", encoding="utf-8")
        saves.append(server.until(lambda note=note, word=word: note in server.found(word)))  # type: ignore[misc]
    figures["save_to_search"] = {"median": median(saves), "longest": max(saves)}
    before = server.embedded()
    (vault / "follow here").mkdir()
    for number in range(SAVES):
        (vault / f"follow {number}.md").rename(vault / "follow here" / f"follow {number}.md")
    server.until(lambda: "follow here/follow 0.md" in server.found("xylotron0"))
    before_move = server.embedded()
    (vault / "follow here").rename(vault / "follow there")
    moved = server.until(lambda: server.found("xylotron0") == ["follow there/follow 0.md"])
    figures["folder_move"] = {"seconds": moved, "embedded": server.embedded() - before_move}
    figures["notes_moved"] = {"embedded": before_move - before}
    (vault / "follow there" / "follow 0.md").rename(vault / "follow there" / "renamed.md")
    renamed = server.until(lambda: server.found("xylotron0") == ["follow there/renamed.md"])
    figures["note_rename"] = {"seconds": renamed, "embedded": server.embedded() - before_move}
    (vault / "follow there" / "renamed.md").unlink()
    figures["delete"] = server.until(lambda: "follow there/renamed.md" not in server.found("xylotron0"))
    figures["stop"] = server.stop()
    again = Served(vault, data, flags)
    figures["restart"] = {"seconds": again.since_start(again.caught_up), "embedded": again.embedded()}
    again.stop()
    return figures


def main(
    vault: Path = typer.Argument(help="A vault; a copy of it is served."),  # noqa: B008
    embedder: str = typer.Option("auto", help="As for `vaultbridge serve`."),
) -> None:
    """Measure how fast a server follows a vault."""
    with tempfile.TemporaryDirectory(prefix="vaultbridge-follow-") as scratch:
        copy = Path(scratch, "vault")
        shutil.copytree(vault, copy)
        figures = measure(copy, Path(scratch, "data"), ["--embedder", embedder, "--model", "none"])
    typer.echo(json.dumps(figures, indent=2))


if __name__ == "__main__":
    typer.run(main)
