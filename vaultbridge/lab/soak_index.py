"""``python -m vaultbridge.lab.soak_index``: whether an index survives the deaths of its server.

A real server is killed again and again, at random moments of starting, indexing, embedding and optimizing, while
notes change. Each next one has to bring the index back to what the vault says, chunk for chunk, and to embed nothing
again but the batch that was in flight. Prints the figures; exits 1 if something is wrong.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import httpx
import typer

from vaultbridge.index.backfill import LARGEST_COMMIT
from vaultbridge.lab.embedded import embedded_again

NOTES = 400
MOMENTS = ("starting", "indexing", "optimizing")
"""When a server is killed, in turn: before it is in sync, while notes change, while maintenance runs."""
PATIENCE_SECONDS = 120.0
MAINTENANCE = b"maintenance of the index begins"


class Notes:
    """A vault that changes. No text is ever written a second time, so that no vector is ever needed again."""

    def __init__(self, root: Path, random: Random, notes: int) -> None:
        self._root = root
        self._random = random
        self._written = 0
        root.mkdir()
        for number in range(notes):
            self._write(root / f"folder{number % 7}" / f"{number}.md")

    def change(self, notes: int) -> None:
        """So many notes are written anew, one comes, one goes, and a folder is renamed."""
        there = sorted(self._root.rglob("*.md"))
        for note in self._random.sample(there, min(notes, len(there))):
            self._write(note)
        self._write(self._root / "new" / f"{self._written}.md")
        self._random.choice(there).unlink()
        folders = sorted(place for place in self._root.iterdir() if place.is_dir())
        self._random.choice(folders).rename(self._root / f"moved{self._written}")

    def _write(self, note: Path) -> None:
        parts = []
        for _ in range(self._random.randrange(1, 5)):
            self._written += 1
            parts.append(f"## Part {self._written}\n\nThe text number {self._written} of all of them.\n")
        note.parent.mkdir(exist_ok=True)
        note.write_text("\n".join(parts), encoding="utf-8")


class Server:
    """A ``vaultbridge serve`` that writes its log, and that of its embedder, into ``scratch``."""

    def __init__(self, scratch: Path) -> None:
        self._log = scratch / "log"
        config = scratch / "vaultbridge.toml"
        config.write_text(
            f'[models]\ngenerator = "none"\nembedder = "{scratch / "embedded"}"\n'
            'embedder_backend = "vaultbridge.lab.embedded:LoggedEmbedder"\n',
            encoding="utf-8",
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        flags = ["--vault", str(scratch / "vault"), "--data", str(scratch / "data"), "--config", str(config)]
        with self._log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "vaultbridge", "--verbose", "serve", *flags, "--port", str(port)],
                stdout=out,
                stderr=out,
            )
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS, trust_env=False)

    def wait_until_in_sync(self) -> None:
        """Wait until every note is read and every chunk has its vector."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                response = self._client.get("/vault/status")
            except httpx.TransportError:
                response = None
            if response is not None and response.is_success and _in_sync(response.json()):
                return
            time.sleep(0.05)
        raise SystemExit(f"The server does not come into sync:\n{self.log()}")

    def verify(self) -> dict[str, Any]:
        """What the server says of its index and the vault."""
        response = self._client.post("/vault/verify")
        if not response.is_success:
            raise SystemExit(f"The server does not verify its index: {response.text}\n{self.log()}")
        document: dict[str, Any] = response.json()
        return document

    def maintenances(self) -> int:
        """How often maintenance has begun."""
        return self._log.read_bytes().count(MAINTENANCE)

    def wait_for_maintenance(self, begun: int) -> None:
        """Wait until maintenance has begun more often."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.maintenances() <= begun:
            if time.monotonic() > deadline:
                raise SystemExit("There was no maintenance.")
            time.sleep(0.005)

    def log(self) -> str:
        """What it has logged."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def kill(self) -> None:
        """End it at once, as the kernel would when it is out of memory."""
        self._process.kill()
        self._process.wait()
        self._client.close()


@dataclass(slots=True)
class Figures:
    """What was seen so far; ``faults`` say what should not have happened, and how often it did."""

    moments: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    chunks: int = 0
    faults: Counter[str] = field(default_factory=Counter)


def soak(scratch: Path, kills: int, notes: int, random: Random) -> Figures:
    """Kill so many servers, and let each next one make good."""
    vault = Notes(scratch / "vault", random, notes)
    figures = Figures()
    for number in range(kills):
        server = Server(scratch)
        moment = MOMENTS[number % len(MOMENTS)]
        if moment == "starting":
            time.sleep(random.uniform(0, 4))
        else:
            began = time.monotonic()
            server.wait_until_in_sync()
            figures.seconds.append(time.monotonic() - began)
            _judge(server, figures)
            begun = server.maintenances()
            vault.change(200 if moment == "optimizing" else random.choice([1, 5, 60]))
            if moment == "optimizing":
                server.wait_for_maintenance(begun)
                time.sleep(random.uniform(0, 0.2))
            else:
                time.sleep(random.uniform(0, 1.5))
        server.kill()
        figures.moments[moment] += 1
        if "Traceback" in server.log():
            figures.faults["the server has logged an unforeseen error"] += 1
    server = Server(scratch)
    server.wait_until_in_sync()
    _judge(server, figures)
    server.kill()
    figures.again = embedded_again(scratch / "embedded", LARGEST_COMMIT)
    for needless in ("in one life", "though stored"):
        figures.faults[f"a text was embedded again {needless}"] += figures.again[needless]
    figures.faults = +figures.faults
    return figures


def _judge(server: Server, figures: Figures) -> None:
    """Compare the index with the vault."""
    verification = server.verify()
    figures.chunks = verification["chunks"]
    for difference in verification["found"]:
        figures.faults[f"the index was not equal: {difference['what']}"] += 1


def _in_sync(status: dict[str, Any]) -> bool:
    fresh, counts = status["freshness"], status["counts"]
    return bool(fresh["visible"] == fresh["wanted"] > 0 and counts["vectors"] == counts["chunks"] > 0)


def main(
    kills: int = typer.Option(200, help="Deaths of the server."),
    notes: int = typer.Option(NOTES, help="Notes in the vault at first."),
    seed: int = typer.Option(1, help="Of everything that is random."),
) -> None:
    """Kill servers, and say what became of their index."""
    scratch = Path(tempfile.mkdtemp(prefix="vaultbridge-soak-"))
    began = time.monotonic()
    try:
        figures = soak(scratch, kills, notes, Random(seed))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    where = ", ".join(f"{count} {moment}" for moment, count in sorted(figures.moments.items()))
    typer.echo(
        f"{'failed' if figures.faults else 'ok'}: {kills} kills ({where}) in {time.monotonic() - began:.0f} s; "
        f"{figures.chunks} chunks at the end; in sync again after {median(figures.seconds):.1f} s in the median, "
        f"{max(figures.seconds):.1f} s at most; {figures.again['in flight']} texts were in flight at a kill"
    )
    for fault, count in figures.faults.items():
        typer.echo(f"    {count} x {fault}")
    raise typer.Exit(1 if figures.faults else 0)


if __name__ == "__main__":
    typer.run(main)
