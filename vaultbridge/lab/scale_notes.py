"""``python -m vaultbridge.lab.scale_notes``: how an index grows with its vault, from the first start on.

Writes vaults of invented notes, 2 kB on average, and lets a real server index each of them, with the fake models unless
an embedder is named. Prints, for each size: seconds from the start of the process to the first keyword hit, to every
note by keyword and to every vector; the server's memory after that and at most; bytes and files on the disk; how long
saves take to be found, by their 95th percentile; seconds from a restart with nothing changed to a caught-up server.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import typer

from vaultbridge.lab.follow import Served
from vaultbridge.lab.invented_vault import InventedVault, path_of

SAVES = 40
BETWEEN_SAVES = 0.5
"""Seconds, so that none of them shares a batch with the one before."""


def measure(folder: Path, notes: int, flags: list[str], *, vectors: bool) -> dict[str, Any]:
    """The figures of one size; without ``vectors`` nobody waits for them."""
    vault, data = folder / "vault", folder / "data"
    size = InventedVault(notes, 1).write(vault)
    figures: dict[str, Any] = {"notes": notes, "bytes_a_note": round(size / notes)}
    server = Served(vault, data, flags)
    figures["health"] = server.since_start(lambda: server.get("/health"))
    figures["first_keyword_hit"] = server.since_start(lambda: server.found("the"))
    figures["keyword_complete"] = server.since_start(server.caught_up)
    if vectors:
        figures["vectors_complete"] = server.since_start(server.complete)
    figures["counts"] = server.get("/vault/status")["counts"]
    saves = [_save(server, vault, number, notes) for number in range(SAVES)]
    figures["save_to_search"] = {
        "p50": round(median(saves), 2),
        "p95": round(quantiles(saves, n=20)[-1], 2),
        "most": max(saves),
    }
    figures["memory_mb"] = {"now": server.memory(), "most": server.most_memory}
    figures["stop"] = server.stop()
    index = [file.stat().st_size for file in data.rglob("*") if file.is_file()]
    figures["on_disk"] = {"mb": round(sum(index) / 1e6), "of_notes": round(sum(index) / size, 1), "files": len(index)}
    again = Served(vault, data, flags)
    figures["restart"] = again.since_start(again.caught_up)
    figures["restart_memory_mb"] = again.memory()
    again.stop()
    return figures


def _save(server: Served, vault: Path, number: int, notes: int) -> float:
    """Append a word that no other note has to one of them; seconds until it is found."""
    time.sleep(BETWEEN_SAVES)
    word, note = f"xylotron{number}", path_of(number * 31 % notes)
    with (vault / note).open("a", encoding="utf-8") as file:
        file.write(f"\nThe {word} hums at dawn.\n")
    return server.until(lambda: note in server.found(word))


def main(
    notes: list[int] = typer.Option([1_000, 10_000], help="Sizes of the vaults."),  # noqa: B008
    embedder: str = typer.Option("", help="As for `vaultbridge serve`, instead of the fake models."),
    vectors: bool = typer.Option(True, help="Wait for every vector."),
) -> None:
    """Index vaults of several sizes, and print the figures of each as a line of JSON."""
    flags = ["--embedder", embedder, "--model", "none"] if embedder else ["--backend", "fakes"]
    for size in notes:
        with tempfile.TemporaryDirectory(prefix="vaultbridge-scale-") as scratch:
            typer.echo(json.dumps(measure(Path(scratch), size, flags, vectors=vectors)))


if __name__ == "__main__":
    typer.run(main)
