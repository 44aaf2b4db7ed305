"""What becomes of tables that cannot be read: they are set aside under the date, and begun anew by whoever opens them.

Nothing in the index is the only copy of anything: chunks and receipts are made again from the notes, vectors by the
embedder.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from vaultbridge.backends.lance_library import lancedb
from vaultbridge.backends.lance_tables import CHUNK_INDICES, guarded, open_table, table_names
from vaultbridge.backends.lance_vectors import PREFIX, VECTOR_INDICES
from vaultbridge.core.errors import StoreDamaged

log = logging.getLogger(__name__)

FOLDER = "damaged"
"""Beside the index: where tables are put that could not be read."""


async def set_damaged_aside(uri: str) -> tuple[str, ...]:
    """Set aside every table in a folder that cannot be read whole, and say which, for people to read.

    The indices of the others are made anew: whether those can be read shows only when they are asked. Nothing else may
    use the folder meanwhile. Raises StoreDamaged if it is none of this computer.
    """
    if "://" in uri:
        raise StoreDamaged(f"The index at {uri} cannot be read.", "Name another place for it.")
    with guarded():
        db = await lancedb.connect_async(uri)
        names = await table_names(db)
        db.close()
    return tuple([told for name in names if (told := await _mend(uri, name))])


async def discard(uri: str) -> None:
    """Delete what was set aside."""
    if "://" not in uri and (folder := Path(uri).parent / FOLDER).is_dir():
        await asyncio.to_thread(shutil.rmtree, folder)


async def _mend(uri: str, name: str) -> str:
    """Set one table aside if it is damaged; what became of it, for people to read."""
    readable: Any = None
    # A connection of its own: what it keeps in memory must not outlive the files.
    db = await lancedb.connect_async(uri)
    try:
        with guarded():
            table = await open_table(db, name, None, {})
            async for _ in await table.query().to_batches():
                pass
            readable = table
            indices = VECTOR_INDICES if name.startswith(PREFIX) else CHUNK_INDICES if name == "chunks" else {}
            for column, config in indices.items():
                await table.create_index(column, config=config, replace=True)
            await table.optimize()
        return ""
    except StoreDamaged as error:
        reason = error.message
        kept = await readable.to_arrow() if readable is not None else None
    finally:
        db.close()
    place = await asyncio.to_thread(_move, Path(uri), name)
    log.error("the table %s of the index was damaged and is now at %s: %s", name, place, reason)
    if kept is None:
        return f"{name} could not be read and is made anew; what was there is in {place}"
    with guarded():
        db = await lancedb.connect_async(uri)
        await db.create_table(name, kept)
        db.close()
    return f"{name} was damaged, but its rows could be saved; what was there is in {place}"


def _move(folder: Path, name: str) -> Path:
    place = folder.parent / FOLDER / f"{datetime.now():%Y-%m-%dT%H-%M-%S} {name}.lance"
    place.parent.mkdir(mode=0o700, exist_ok=True)
    return (folder / f"{name}.lance").rename(place)
