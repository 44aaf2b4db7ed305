"""A process that keeps an index equal to a vault until it is killed: ``python -m tests.index.victim VAULT INDEX LOG``.

It loads everything, says ``ready``, and begins when a line comes. What is embedded goes into the log, a line a text.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from vaultbridge.backends.clock import SystemClock
from vaultbridge.backends.fakes.embeddings import FakeEmbeddings
from vaultbridge.backends.lance import LanceStore
from vaultbridge.backends.observer import Observer
from vaultbridge.index.backfill import Backfill
from vaultbridge.index.indexer import Indexer
from vaultbridge.lab.embedded import LoggedEmbedder
from vaultbridge.vault.files import Vault


class LoggedEmbeddings(FakeEmbeddings):
    """Writes down what it has embedded, for whoever outlives it."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self._embedder = LoggedEmbedder(log)


async def main(vault: Path, index: Path, log: Path) -> None:
    """Index, embed and optimize at once, for ever."""
    store = await LanceStore.open(str(index))
    clock = SystemClock()
    backfill = Backfill(store, LoggedEmbeddings(log), clock)
    indexer = Indexer(Vault(vault), store, Observer(vault), clock, backfill)

    async def optimize() -> None:
        while True:
            await store.maintain()
            await asyncio.sleep(0.02)

    await asyncio.gather(indexer.run(), backfill.run(), optimize())


if __name__ == "__main__":
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    asyncio.run(main(*map(Path, sys.argv[1:])))
