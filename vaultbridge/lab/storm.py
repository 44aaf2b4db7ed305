"""``python -m vaultbridge.lab.storm``: whether an answer goes on streaming while git or a sync tool changes everything.

A real server over many notes streams an answer to itself first, then while every note is written anew within about a
second, until the index has caught up. Prints the longest gap of both streams, and whether the index equals the vault
afterwards, as one JSON document; exits 1 if it does not, or if the gap has more than doubled.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx
import typer

from vaultbridge.lab.soak import MODEL

NOTES = 10_000
CALM_SECONDS = 30.0
PATIENCE_SECONDS = 900.0
_TOKENS = 1_500
_FOLDERS = 100
_BODY: dict[str, Any] = {
    "model": "x@plain",
    "messages": [{"role": "user", "content": "Tell a long story about a lighthouse and its keeper."}],
    "stream": True,
    "max_tokens": _TOKENS,
    "ignore_eos": True,
    "temperature": 1.0,
}


def write(vault: Path, notes: int, revision: int) -> float:
    """Write every note anew; the seconds that it took."""
    began = time.monotonic()
    for number in range(notes):
        text = f"# Note {number}\n\nRevision {revision} of the note number {number}, some words long.\n"
        (vault / f"folder{number % _FOLDERS}" / f"{number}.md").write_text(text, encoding="utf-8")
    return time.monotonic() - began


async def gaps_until(client: httpx.AsyncClient, done: Callable[[], Awaitable[bool]]) -> list[float]:
    """Seconds between the pieces of text of one stream after another, until it is ``done``."""
    gaps: list[float] = []
    while not await done():
        async with client.stream("POST", "/v1/chat/completions", json=_BODY) as response:
            last = 0.0
            async for line in response.aiter_lines():
                if '"content"' in line:
                    now = time.monotonic()
                    if last:
                        gaps.append(now - last)
                    last = now
    return gaps


@contextmanager
def serving(scratch: Path, flags: list[str]) -> Iterator[str]:
    """The address of a server over the vault in ``scratch``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    places = ["--vault", str(scratch / "vault"), "--data", str(scratch / "data"), "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "vaultbridge", "serve", *places, *flags], stderr=subprocess.DEVNULL
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


async def in_sync(client: httpx.AsyncClient, wanted: int) -> bool:
    """Whether the index has caught up with at least ``wanted`` looks at the vault."""
    with suppress(httpx.TransportError):
        response = await client.get("/vault/status")
        if response.is_success:
            fresh = response.json()["freshness"]
            return bool(fresh["visible"] == fresh["wanted"] >= wanted and not fresh["pending"])
    return False


async def storm(written: Path, notes: int, address: str, *, beside: bool) -> dict[str, Any]:
    """Stream in the calm and while notes are ``written`` there, in the vault or ``beside`` it, and compare."""
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE_SECONDS, trust_env=False) as client:
        began = time.monotonic()
        while not await in_sync(client, 1):
            if time.monotonic() - began > PATIENCE_SECONDS:
                raise SystemExit("The server does not come into sync.")
            await asyncio.sleep(0.2)
        until = time.monotonic() + CALM_SECONDS

        async def calm_is_over() -> bool:
            return time.monotonic() > until

        calm = await gaps_until(client, calm_is_over)
        before = (await client.get("/vault/status")).json()["freshness"]["wanted"]
        # In a process of its own, which does not hold up our listening.
        pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
        await asyncio.get_running_loop().run_in_executor(pool, int)
        writing = asyncio.get_running_loop().run_in_executor(pool, write, written, notes, 1)
        began = time.monotonic()
        took = 0.0

        async def storm_is_over() -> bool:
            nonlocal took
            over = writing.done() and (beside or await in_sync(client, before + 1))
            took = took or (time.monotonic() - began if over else 0.0)
            return over

        stormy = await gaps_until(client, storm_is_over)
        pool.shutdown()
        verification = (await client.post("/vault/verify")).raise_for_status().json()
    return {
        "notes": notes,
        "written_in_seconds": round(writing.result(), 2),
        "caught_up_within_seconds": round(took, 1),
        "calm": _told(calm),
        "storm": _told(stormy),
        "longest_gap_grew_by": round(max(stormy) / max(calm), 2),
        "equal": verification["equal"] and not verification["found"],
    }


def _told(gaps: list[float]) -> dict[str, float]:
    milliseconds = [1000 * gap for gap in gaps]
    return {
        "pieces": len(gaps),
        "median_ms": round(median(milliseconds), 1),
        "p99_ms": round(quantiles(milliseconds, n=100)[-1], 1),
        "longest_ms": round(max(milliseconds), 1),
    }


def main(
    notes: int = typer.Option(NOTES, help="Notes, all of which change."),
    model: str = typer.Option(MODEL, help="As for `vaultbridge serve`."),
    embedder: str = typer.Option("none", help="As for `vaultbridge serve`."),
    beside: bool = typer.Option(False, help="Write beside the vault instead: what the writing alone costs."),
) -> None:
    """Change everything while an answer streams."""
    with tempfile.TemporaryDirectory(prefix="vaultbridge-storm-", ignore_cleanup_errors=True) as scratch:
        vault, other = Path(scratch, "vault"), Path(scratch, "beside")
        for folder in (vault, other):
            for number in range(_FOLDERS):
                (folder / f"folder{number}").mkdir(parents=True)
            write(folder, notes, 0)
        with serving(Path(scratch), ["--model", model, "--embedder", embedder]) as address:
            figures = asyncio.run(storm(other if beside else vault, notes, address, beside=beside))
    typer.echo(json.dumps(figures, indent=2))
    raise typer.Exit(0 if figures["equal"] and figures["longest_gap_grew_by"] <= 2 else 1)


if __name__ == "__main__":
    typer.run(main)
