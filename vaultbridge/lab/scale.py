"""``python -m vaultbridge.lab.scale``: how long a question takes in a large vault, without the embedder's forward pass.

Builds an index of invented notes and asks it one question after the other through the real retriever: by each lane,
then by all of them, then by all of them while a note is saved every second, with the store's maintenance as often as
the indexer has it. Prints the figures.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

import psutil
import typer

from vaultbridge.backends.lance import LanceStore
from vaultbridge.core.ports import ChunkStore, EmbeddingService
from vaultbridge.core.search import Mode, Query
from vaultbridge.index.indexer import COMMITS_BEFORE_MAINTENANCE
from vaultbridge.lab.invented import CHUNKS_A_NOTE, InventedEmbeddings, Invention
from vaultbridge.retrieve.retriever import Retriever

BATCH_NOTES = 64
WARM_UP = 20
ASIDE: Sequence[Mode] = ("keyword", "dense", "sparse")
HYBRID: Mode = "hybrid"
SAVE_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Timed:
    """How long some questions took, in milliseconds; ``saves`` notes were saved meanwhile.

    ``cpu`` is what all threads of the process computed for a question, the saves included: on a busy computer, the one
    figure that can be compared.
    """

    label: str
    p50: float
    p95: float
    most: float
    cpu: float
    saves: int = 0

    @classmethod
    def of(cls, label: str, times: Sequence[float], cpu: float, saves: int = 0) -> Timed:
        """From the milliseconds of each question, and those of computing for all of them."""
        return cls(label, median(times), quantiles(times, n=20)[-1], max(times), cpu / len(times), saves)

    def __str__(self) -> str:
        saves = f"; {self.saves} saves" if self.saves else ""
        times = f"{self.p50:.1f} ms p50, {self.p95:.1f} ms p95, {self.most:.0f} at most, {self.cpu:.1f} of computing"
        return f"{self.label}: {times}{saves}"


class Scale:
    """A store full of invented notes, and what asks it."""

    def __init__(self, store: ChunkStore, invention: Invention, dimensions: int, notes: int) -> None:
        self._store = store
        self._invention = invention
        self._embeddings: EmbeddingService = InventedEmbeddings(invention, dimensions)
        self._retriever = Retriever(store, self._embeddings)
        self._notes = notes

    async def build(self) -> None:
        """Write every note that is not there yet, and its vectors."""
        info = await self._embeddings.info()
        await self._store.use_vectors(info.fingerprint, info.dimensions)
        there = (await self._store.counts()).notes
        for first in range(there, self._notes, BATCH_NOTES):
            numbers = range(first, min(first + BATCH_NOTES, self._notes))
            await self._store.replace([self._invention.note(number) for number in numbers])
            await self._embed()
            if first // BATCH_NOTES % COMMITS_BEFORE_MAINTENANCE == 0:
                await self._store.maintain()
        await self._store.maintain()

    async def timed(self, mode: Mode, questions: int, *, saving: bool = False) -> Timed:
        """Ask so many questions in that mode; ``saving``: while notes are saved."""
        for number in range(WARM_UP):
            await self._ask(mode, number)
        saved: list[int] = []
        writer = asyncio.ensure_future(self._save(saved)) if saving else None
        computed = time.process_time()
        times = [await self._ask(mode, number) for number in range(questions)]
        cpu = 1000 * (time.process_time() - computed)
        if writer is not None:
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer
        return Timed.of(f"{mode}, while notes are saved" if saving else mode, times, cpu, len(saved))

    async def _ask(self, mode: Mode, number: int) -> float:
        question = self._invention.question(number)
        began = time.perf_counter()
        await self._retriever.search(Query(question, mode=mode))
        return 1000 * (time.perf_counter() - began)

    async def _save(self, saved: list[int]) -> None:
        for number in count():
            await self._store.replace([self._invention.note(number * 31 % self._notes)])
            await self._embed()
            saved.append(number)
            if number % COMMITS_BEFORE_MAINTENANCE == COMMITS_BEFORE_MAINTENANCE // 2:
                await self._store.maintain()
            await asyncio.sleep(SAVE_EVERY_SECONDS)

    async def _embed(self) -> None:
        while chunks := await self._store.unembedded(BATCH_NOTES * CHUNKS_A_NOTE):
            vectors = await self._embeddings.embed([chunk.embedded for chunk in chunks], "document")
            digests = [chunk.digest for chunk in chunks]
            await self._store.put_vectors(dict(zip(digests, vectors, strict=True)))


async def measure(folder: Path, chunks: int, dimensions: int, questions: int, seed: int) -> list[str]:
    """The figures, a line each."""
    process = psutil.Process()
    bare, began = process.memory_info().rss, time.perf_counter()
    store = await LanceStore.open(str(folder))
    try:
        scale = Scale(store, Invention(dimensions, seed), dimensions, -(-chunks // CHUNKS_A_NOTE))
        await scale.build()
        lines = [f"{(await store.counts()).chunks} chunks of {dimensions} dimensions in {_passed(began)}"]
        lines += [str(await scale.timed(mode, questions)) for mode in (*ASIDE, HYBRID)]
        lines.append(str(await scale.timed(HYBRID, 4 * questions, saving=True)))
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        rss = process.memory_info().rss
        return [*lines, f"memory {_mib(rss)}, of which {_mib(bare)} before the index was opened; index {_mib(size)}"]
    finally:
        await store.close()


def _passed(began: float) -> str:
    return f"{time.perf_counter() - began:.0f} s"


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"


def main(
    chunks: int = typer.Option(100_000, help="Chunks in the vault, at least."),
    dimensions: int = typer.Option(384, help="Of the dense vectors."),
    questions: int = typer.Option(200, help="Of each kind; four times as many while notes are saved."),
    data: str = typer.Option("", help="Keep the index in this folder, and use what is there."),
    seed: int = typer.Option(1, help="Of everything that is random."),
) -> None:
    """Fill an index, ask it, and print how long that took."""
    with TemporaryDirectory() as throwaway:
        for line in asyncio.run(measure(Path(data or throwaway), chunks, dimensions, questions, seed)):
            typer.echo(line)


if __name__ == "__main__":
    typer.run(main)
