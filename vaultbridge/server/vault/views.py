"""What search and status say, for the routes and for the command line alike."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from vaultbridge.chat.citations import LinkWriter
from vaultbridge.core.notes import NotePath
from vaultbridge.core.search import Hit, Query
from vaultbridge.server.services import Services


async def search_view(services: Services, query: Query) -> dict[str, Any]:
    """The best chunks with their places, texts and lanes, and how fresh the index is."""
    hits = await services.retriever.search(query)
    writer = LinkWriter(await services.store.paths())
    return {"hits": [_hit(hit, writer) for hit in hits], "freshness": asdict(services.index.freshness)}


def _hit(hit: Hit, writer: LinkWriter) -> dict[str, Any]:
    chunk = hit.chunk
    return {
        "note": chunk.note,
        "heading": list(chunk.heading),
        "link": writer.link(chunk.note, chunk.heading[-1] if chunk.heading else ""),
        "span": asdict(chunk.span),
        "text": chunk.text,
        "score": hit.score,
        "lanes": dict(hit.lanes),
    }


async def status_view(services: Services) -> dict[str, Any]:
    """Which vault, how much of it is indexed, how fresh the index is, and what is wrong."""
    done, total = services.index.notes_done
    return {
        "vault": {"id": services.vault_id, "name": services.vault_name},
        "counts": asdict(await services.store.counts()),
        "freshness": asdict(services.index.freshness),
        "progress": {"notes_done": done, "notes_total": total},
        "embedded": services.index.embedded,
        "problems": services.index.problems,
        "models": {"generator": services.names.generator, "embedder": services.names.embedder},
    }


async def note_view(services: Services, path: NotePath) -> dict[str, Any]:
    """One note: indexed or not, when, how many chunks, and if not, why."""
    receipt = await services.store.note(path)
    if receipt is None:
        reason = services.index.excluded(path) or "not in the vault, or not seen yet"
        return {"note": path, "indexed": False, "reason": reason, "chunks": 0, "indexed_at": None}
    return {
        "note": path,
        "indexed": receipt.chunks > 0 or not receipt.reason,
        "reason": receipt.reason,
        "chunks": receipt.chunks,
        "indexed_at": receipt.indexed_at,
    }
