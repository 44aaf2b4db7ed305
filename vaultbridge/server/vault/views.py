"""What search and status say, for the routes and for the command line alike."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import NotRequired, TypedDict

from vaultbridge.chat.citations import LinkWriter
from vaultbridge.core.notes import NotePath
from vaultbridge.core.search import Hit, Query
from vaultbridge.retrieve.reasons import Kind, Reason, reasons
from vaultbridge.retrieve.retriever import Found
from vaultbridge.server.services import Services
from vaultbridge.server.views import FreshnessView, LaneAwayView, SpanView, degraded_view, freshness_view, span_view


class ReasonView(TypedDict):
    """Why something was found. ``detail``: the name, the words, the cosine or the other note."""

    kind: Kind
    detail: str


class HitView(TypedDict):
    """A chunk that was found: where it stands, what it says, the lanes that found it with their scores, and why."""

    note: str
    heading: list[str]
    link: str
    span: SpanView
    text: str
    score: float
    lanes: dict[str, float]
    reasons: list[ReasonView]


class SearchView(TypedDict):
    """The best chunks, best first, how fresh the index is, and the lanes that were away, if any were."""

    hits: list[HitView]
    freshness: FreshnessView
    degraded: NotRequired[list[LaneAwayView]]


class VaultView(TypedDict):
    """Which vault it is."""

    id: str
    name: str


class CountsView(TypedDict):
    """How much is stored; ``vectors`` counts chunks that have one."""

    notes: int
    unreadable: int
    chunks: int
    vectors: int


class ProgressView(TypedDict):
    """How far the first look at the vault is."""

    notes_done: int
    notes_total: int


class ServedModels(TypedDict):
    """The models' ids."""

    generator: str
    embedder: str
    reranker: str


class StatusView(TypedDict):
    """Which vault, how much of it is indexed, how fresh the index is, and what is wrong, by what it is wrong with.

    ``embedded`` counts texts since the start.
    """

    vault: VaultView
    counts: CountsView
    freshness: FreshnessView
    progress: ProgressView
    embedded: int
    problems: dict[str, str]
    models: ServedModels


class NoteView(TypedDict):
    """One note: indexed or not, when (seconds since 1970), how many chunks, and if not, why."""

    note: str
    indexed: bool
    reason: str
    chunks: int
    indexed_at: float | None


async def search_view(services: Services, query: Query) -> SearchView:
    """The best chunks with their places, texts, lanes and reasons, and how fresh the index is."""
    return await found_view(services, query.text, await services.retriever.search(query))


async def found_view(services: Services, text: str, found: Found) -> SearchView:
    """What was found for a text."""
    writer = LinkWriter(await services.store.paths())
    view: SearchView = {
        "hits": [_hit(hit, writer, reasons(text, hit, found.linked)) for hit in found.hits],
        "freshness": freshness_view(services.index.freshness),
    }
    if found.degraded:
        view["degraded"] = degraded_view(found.degraded)
    return view


def _hit(hit: Hit, writer: LinkWriter, because: Sequence[Reason]) -> HitView:
    chunk = hit.chunk
    return {
        "note": chunk.note,
        "heading": list(chunk.heading),
        "link": writer.link(chunk.note, chunk.heading[-1] if chunk.heading else ""),
        "span": span_view(chunk.span),
        "text": chunk.text,
        "score": hit.score,
        "lanes": dict(hit.lanes),
        "reasons": [{"kind": reason.kind, "detail": reason.detail} for reason in because],
    }


async def status_view(services: Services) -> StatusView:
    """Which vault, how much of it is indexed, how fresh the index is, and what is wrong."""
    done, total = services.index.notes_done
    counts = await services.store.counts()
    return {
        "vault": {"id": services.vault_id, "name": services.vault_name},
        "counts": {
            "notes": counts.notes,
            "unreadable": counts.unreadable,
            "chunks": counts.chunks,
            "vectors": counts.vectors,
        },
        "freshness": freshness_view(services.index.freshness),
        "progress": {"notes_done": done, "notes_total": total},
        "embedded": services.index.embedded,
        "problems": {
            **services.index.problems,
            **{model.name: model.reason for model in services.models if model.state in ("failed", "restarting")},
        },
        "models": {
            "generator": services.names.generator,
            "embedder": services.names.embedder,
            "reranker": services.names.reranker,
        },
    }


async def note_view(services: Services, path: NotePath) -> NoteView:
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
