"""On a disk of two sizes: ``python -m tests.index.full_disk DISK VAULT``, as the first process of a mount namespace.

Indexes until there is no room, makes the disk larger, and says ``equal`` if the index then comes to equal the vault.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from random import Random

from tests.index.test_replay import check, opened
from tests.index.worlds import Realm
from vaultbridge.index.indexer import RETRY_SECONDS


def mount(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk], check=True)


async def main(disk: Path, vault: Path) -> None:
    """Fill the disk, say so, and go on when there is room."""
    mount(disk, "size=2m")
    random = Random(1)
    async with opened(disk / "index") as store:
        realm = Realm(vault, store)
        async with realm.watching():
            await realm.indexer.settled()
            number = 0
            while not realm.indexer.error:
                number += 1
                words = " ".join(f"word{random.randrange(10**9)}" for _ in range(2_000))
                await realm.hint(realm.write(f"{number}.md", words))
                while not realm.indexer.error and realm.indexer.freshness.visible < realm.indexer.freshness.wanted:
                    await asyncio.sleep(0.01)
            sys.stdout.write(f"{realm.indexer.error}\n")
            mount(disk, "remount,size=200m")
            await realm.clock.advance(2 * RETRY_SECONDS)
            await realm.indexer.settled()
            await realm.clock.advance(1000)  # vectors that had no room wait longer
            await realm.indexer.settled()
        await check(realm)
        assert store.damage == ""
    sys.stdout.write("equal\n")


if __name__ == "__main__":
    asyncio.run(main(*map(Path, sys.argv[1:])))
