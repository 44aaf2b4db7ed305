"""What search and status say, for the routes and for the command line alike."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import NotRequired, TypedDict

from vaultbridge.chat.citations import LinkWriter
from vaultbridge.core.notes import NotePath
from vaultbridge.core.search import Hit, Query
from vaultbridge.index.note_status import State
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
    """How far indexing is: notes of the present batch of changes; chunks embedded in a second, as of late.

    ``seconds_left`` until every chunk has its vector, null if nobody knows; ``paused`` says why nothing is embedded
    though something waits, empty if nothing keeps it.
    """

    notes_done: int
    notes_total: int
    rate: float
    seconds_left: float | None
    paused: str


class StorageView(TypedDict):
    """What the index takes on the disk in bytes, and in how many pieces its tables lie there."""

    bytes: int
    fragments: int


class ExclusionView(TypedDict):
    """A rule that keeps notes out of the index, and how many."""

    reason: str
    notes: int


class ServedModels(TypedDict):
    """The models' ids."""

    generator: str
    embedder: str
    reranker: str


class StatusView(TypedDict):
    """Which vault, how much of it is indexed, how fresh the index is, and what is wrong, by what it is wrong with.

    ``embedded`` counts texts since the start. ``states`` says how each model's process does, by its role.
    """

    vault: VaultView
    counts: CountsView
    freshness: FreshnessView
    progress: ProgressView
    storage: StorageView
    embedded: int
    problems: dict[str, str]
    models: ServedModels
    states: dict[str, str]
    exclusions: list[ExclusionView]


class NoteView(TypedDict):
    """One note: how the index stands to it, and if it is not indexed, or not whole, why.

    ``indexed``: whether it can be found; ``vectors``: how many of its chunks have one; ``attempts``: failed readings,
    the next one at ``retry_at`` (as ``indexed_at`` in seconds since 1970).
    """

    note: str
    state: State
    indexed: bool
    reason: str
    chunks: int
    vectors: int
    indexed_at: float | None
    attempts: int
    retry_at: float | None


async def search_view(services: Services, query: Query) -> SearchView:
    """The best chunks with their places, texts, lanes and reasons, and how fresh the index is."""
    return await found_view(services, query.text, await services.retriever.search(query))


async def found_view(services: Services, text: str, found: Found) -> SearchView:
    """What was found for a text."""
    writer = LinkWriter(await services.store.names())
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
    progress = services.index.progress
    counts = await services.store.counts()
    storage = await services.store.storage()
    return {
        "vault": {"id": services.vault_id, "name": services.vault_name},
        "counts": {
            "notes": counts.notes,
            "unreadable": counts.unreadable,
            "chunks": counts.chunks,
            "vectors": counts.vectors,
        },
        "freshness": freshness_view(services.index.freshness),
        "progress": {
            "notes_done": progress.notes_done,
            "notes_total": progress.notes_total,
            "rate": round(progress.rate, 1),
            "seconds_left": progress.seconds_left if progress.seconds_left is None else round(progress.seconds_left),
            "paused": progress.paused,
        },
        "storage": {"bytes": storage.bytes, "fragments": storage.fragments},
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
        "states": {model.name: model.state for model in services.models},
        "exclusions": [
            {"reason": reason, "notes": notes}
            for reason, notes in sorted(services.index.exclusions.items(), key=lambda pair: (-pair[1], pair[0]))
        ],
    }


async def note_view(services: Services, path: NotePath) -> NoteView:
    """One note: how the index stands to it, and if it is not indexed, or not whole, why."""
    status = await services.index.note(path)
    digests = [chunk.digest for chunk in await services.store.chunks(path)]
    vectors = await services.store.vectors(digests)
    return {
        "note": path,
        "state": status.state,
        "indexed": status.indexed,
        "reason": status.reason,
        "chunks": status.chunks,
        "vectors": sum(digest in vectors for digest in digests),
        "indexed_at": status.indexed_at,
        "attempts": status.attempts,
        "retry_at": status.retry_at,
    }
