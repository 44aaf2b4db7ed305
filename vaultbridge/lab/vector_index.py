"""``python -m vaultbridge.lab.vector_index``: from which size on a vector index would pay.

Made-up vectors in clusters are written as the store writes them. Asked for the nearest to some more: our comparison in
memory, the scan of the disk that stands in for it beyond its bounds, and LanceDB's indices. Prints one JSON document:
milliseconds of a question, the part of the scan's hits that each way finds, seconds to make an index.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from typing import Any

import numpy as np
import typer

from vaultbridge.backends.lance_library import lancedb
from vaultbridge.backends.lance_memory import Bounds
from vaultbridge.backends.lance_vectors import VectorTable
from vaultbridge.core.search import Embedding, Vector
from vaultbridge.lab.invented import Invention

HITS = 50
QUESTIONS = 40
BATCH = 20_000
PROBES = (20, 80)

Ask = Callable[[Vector], Awaitable[Mapping[str, float]]]


class Everything:
    """Implements ``lance_memory.Seen``: a question without a scope."""

    def few(self) -> Set[str] | None:
        """Most of what there is."""
        return None

    def shows(self, digest: str) -> bool:
        """Always."""
        return True


class Asked:
    """What was asked of one way after the other; the first one's hits are the true ones."""

    def __init__(self, questions: Sequence[Vector]) -> None:
        self._questions = questions
        self._true: list[Set[str]] = []
        self.ways: dict[str, dict[str, float]] = {}

    async def by(self, way: str, ask: Ask, **facts: float) -> None:
        """Ask every question that way."""
        seconds, found = [], list[Set[str]]()
        for question in self._questions:
            began = time.perf_counter()
            hits = await ask(question)
            seconds.append(time.perf_counter() - began)
            found.append(hits.keys())
        self._true = self._true or found
        recall = np.mean([len(true & hits) / len(true) for true, hits in zip(self._true, found, strict=True)])
        p50, p95 = (round(1000 * float(np.quantile(seconds, part)), 1) for part in (0.5, 0.95))
        self.ways[way] = {"p50_ms": p50, "p95_ms": p95, "recall": round(float(recall), 4), **facts}


async def measure(folder: str, count: int, dimensions: int) -> dict[str, dict[str, float]]:
    """The figures of each way for so many vectors."""
    invention = Invention(dimensions, 1)
    db = await lancedb.connect_async(folder)
    on_disk = await VectorTable.open(db, "made up", dimensions, Bounds(dense=0, sparse=0))
    for first in range(0, count, BATCH):
        batch = invention.directions(min(BATCH, count - first))
        await on_disk.add({f"{first + row:032x}": Embedding(vector) for row, vector in enumerate(batch)})
    await on_disk.table.optimize()
    in_memory = await VectorTable.named(db, on_disk.name, Bounds(dense=1 << 40, sparse=1 << 40))
    await in_memory.digests()
    asked = Asked([*invention.directions(QUESTIONS)])
    await asked.by("scan", lambda question: on_disk.nearest(question, Everything(), HITS))
    await asked.by("memory", lambda question: in_memory.nearest(question, Everything(), HITS))
    for kind in ("IvfFlat", "IvfSq"):
        began = time.perf_counter()
        config = getattr(lancedb.index, kind)(distance_type="cosine")
        await on_disk.table.create_index("vector", config=config, replace=True)
        made = round(time.perf_counter() - began, 1)
        for probes in PROBES:
            await asked.by(f"{kind}, {probes} probes", _by_index(on_disk.table, probes), made_s=made)
    return asked.ways


def _by_index(table: Any, probes: int) -> Ask:
    async def ask(question: Vector) -> Mapping[str, float]:
        query = table.query().nearest_to(question).distance_type("cosine").nprobes(probes)
        rows = await query.select(["digest", "_distance"]).limit(HITS).to_list()
        return {row["digest"]: 1.0 - row["_distance"] for row in rows}

    return ask


def main(
    vectors: int = typer.Option(400_000, help="How many."),
    dimensions: int = typer.Option(384, help="Of each."),
) -> None:
    """Compare an index of vectors with comparing all of them."""
    with tempfile.TemporaryDirectory(prefix="vaultbridge-vectors-") as folder:
        typer.echo(json.dumps(asyncio.run(measure(folder, vectors, dimensions)), indent=2))


if __name__ == "__main__":
    typer.run(main)
