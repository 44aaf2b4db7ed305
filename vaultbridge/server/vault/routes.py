"""``/vault``: search, related notes, status, warming up; ``/health`` and ``/metrics``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import PlainTextResponse, Response
from typing_extensions import TypedDict

from vaultbridge import __version__
from vaultbridge.core.notes import NotePath
from vaultbridge.core.search import Mode, Scope
from vaultbridge.core.search import Query as SearchQuery
from vaultbridge.server.asking import CLIENT_LEFT
from vaultbridge.server.connection import while_connected
from vaultbridge.server.metrics import CONTENT_TYPE
from vaultbridge.server.openapi import events, replies
from vaultbridge.server.scrub import without_folders
from vaultbridge.server.services import Services, services_of
from vaultbridge.server.sse import event_stream
from vaultbridge.server.vault.events import StatusEvent, StatusEvents
from vaultbridge.server.vault.identity import right_vault
from vaultbridge.server.vault.models import (
    ModelsView,
    Pull,
    PullBody,
    PullEvent,
    check_pull,
    models_view,
)
from vaultbridge.server.vault.related import MOST_NOTES, RelatedBody, related_view
from vaultbridge.server.vault.roles import RoleBody, RolesView, choose_model, roles_view
from vaultbridge.server.vault.verify import VerificationView, verify_view
from vaultbridge.server.vault.views import NoteView, SearchView, StatusView, note_view, search_view, status_view
from vaultbridge.server.vault.warm import WarmBody, WarmView, warm_view

router = APIRouter(prefix="/vault", tags=["vault"], dependencies=[Depends(right_vault)])
health_router = APIRouter()


class ModelHealth(TypedDict):
    """How a model's process does, and why not better."""

    state: str
    reason: str


class HealthView(TypedDict):
    """That the server lives; ``models`` are by their roles."""

    status: Literal["ok", "starting"]
    name: Literal["vaultbridge"]
    version: str
    models: dict[str, ModelHealth]


Names = Annotated[list[str], Query()]


@health_router.get("/health", tags=["health"], response_model=None, responses=replies(HealthView))
async def health(request: Request) -> HealthView:
    """That the server lives, and how its models do; it answers while the index is opened and they load."""
    services: Services | None = request.app.state.services
    models = services.models if services is not None else ()
    return {
        "status": "ok" if services is not None else "starting",
        "name": "vaultbridge",
        "version": __version__,
        "models": {model.name: {"state": model.state, "reason": without_folders(model.reason)} for model in models},
    }


@health_router.get(
    "/metrics", tags=["health"], response_class=PlainTextResponse, responses={200: {"description": "The counts."}}
)
async def metrics(request: Request) -> Response:
    """What was counted since the start, for Prometheus."""
    services = services_of(request)
    models = ((model.name, model.state) for model in services.models)
    pending = services.index.freshness.pending
    return Response(services.metrics.text(services.chat.admitted, pending, models), media_type=CONTENT_TYPE)


@router.get("/search", response_model=None, responses=replies(SearchView))
async def search(
    request: Request,
    q: Annotated[str, Query(min_length=1, max_length=4000)],
    k: Annotated[int, Query(ge=1, le=200)] = 10,
    mode: Mode = "hybrid",
    folder: Names = [],  # noqa: B006  FastAPI makes a new one for each request
    tag: Names = [],  # noqa: B006
    exclude: Names = [],  # noqa: B006
) -> SearchView:
    """The best chunks for ``q``, with the lanes that found each, and why."""
    scope = Scope(
        folders=tuple(name.strip("/") for name in folder),
        tags=tuple(name.lstrip("#") for name in tag),
        exclude=tuple(NotePath(path) for path in exclude),
    )
    return await search_view(services_of(request), SearchQuery(q, scope, k, mode))


@router.get("/related", response_model=None, responses=replies(SearchView))
async def related_to_note(
    request: Request,
    note: Annotated[str, Query(min_length=1, max_length=4000)],
    k: Annotated[int, Query(ge=1, le=MOST_NOTES)] = 10,
    exclude: Names = [],  # noqa: B006
) -> SearchView:
    """The notes that have to do with a note, each with the passage that relates most, and why."""
    return await related_view(services_of(request), RelatedBody(note=note, k=k, exclude=exclude))


@router.post("/related", response_model=None, responses=replies(SearchView))
async def related(request: Request, body: RelatedBody) -> SearchView:
    """The notes that have to do with a note or a text, each with the passage that relates most, and why."""
    return await related_view(services_of(request), body)


@router.get("/status", response_model=None, responses=replies(StatusView))
async def status(request: Request) -> StatusView:
    """Which vault, how much of it is indexed, how fresh the index is, and what is wrong."""
    return await _status(services_of(request))


@router.get("/events", response_class=Response, response_model=None, responses=events(StatusEvent))
async def status_events(request: Request) -> Response:
    """The status as an event, at once and whenever it changes; without an end."""
    services = services_of(request)
    first: StatusEvent = {"type": "status", "status": await _status(services)}
    watched = StatusEvents(first, partial(_status, services))
    return event_stream(watched.told(), lambda: watched.last, named=True)


async def _status(services: Services) -> StatusView:
    view = await status_view(services)
    return {**view, "problems": {part: without_folders(problem) for part, problem in view["problems"].items()}}


@router.get("/notes/{path:path}", response_model=None, responses=replies(NoteView))
async def note(request: Request, path: str) -> NoteView:
    """One note: indexed or not, when, how many chunks, and if not, why."""
    view = await note_view(services_of(request), NotePath(path))
    return {**view, "reason": without_folders(view["reason"])}


@router.post("/verify", response_model=None, responses=replies(VerificationView))
async def verify(request: Request) -> VerificationView:
    """Compare the index with a fresh reading of the whole vault, chunk by chunk, and write again what differs."""
    return await verify_view(services_of(request))


@router.post("/warm", response_model=None, responses=replies(WarmView))
async def warm(request: Request, body: WarmBody) -> Response | WarmView:
    """Prefill the prompt of a question that is still being typed, so that its answer begins sooner."""
    view = await while_connected(request, warm_view(services_of(request), body, request.headers))
    return view if view is not None else Response(status_code=CLIENT_LEFT)


@router.get("/models", response_model=None, responses=replies(ModelsView))
async def models(request: Request) -> ModelsView:
    """Every model: the catalogue's, fetched ones, and what other programs have on this computer."""
    return await asyncio.to_thread(lambda: models_view(services_of(request).puller().supply))


@router.post("/models/pull", response_class=Response, response_model=None, responses=events(PullEvent))
async def pull(request: Request, body: PullBody) -> Response:
    """Fetch a model, with its progress as events. A client that goes away ends it; the next pull goes on from there."""
    check_pull(body)
    services = services_of(request)
    pulling = Pull(services.puller(), body.model)

    async def told() -> AsyncGenerator[PullEvent, None]:
        async with aclosing(pulling.events()) as events:
            async for event in events:
                if event["type"] == "end":
                    await services.fleet.look()  # so that the model can be asked as soon as its user knows of it
                yield event

    return event_stream(told(), lambda: pulling.last)


@router.get("/roles", response_model=None, responses=replies(RolesView))
async def roles(request: Request) -> RolesView:
    """Which model serves each purpose, what was chosen, and what could be."""
    return await roles_view(services_of(request))


@router.post("/roles", response_model=None, responses=replies(RolesView))
async def choose_role(request: Request, body: RoleBody) -> RolesView:
    """Choose a model for a purpose: at once for chat and completion, with the next start for embed and rerank."""
    return await choose_model(services_of(request), body)
