"""``/api``: Ollama's dialect, answered by the same service as every other."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from typing_extensions import TypedDict

from vaultbridge import __version__
from vaultbridge.core.dialogue import Continuation
from vaultbridge.core.errors import InvalidRequest
from vaultbridge.server.asking import CLIENT_LEFT, ask, opened, opening, streaming
from vaultbridge.server.connection import while_connected
from vaultbridge.server.ndjson import MEDIA_TYPE, LineStream
from vaultbridge.server.ollama.answer import lines, whole
from vaultbridge.server.ollama.documents import ChatLine, Envelope, GenerateLine, Line, Said
from vaultbridge.server.ollama.embed import EmbedView, VectorView, embed, embedding
from vaultbridge.server.ollama.models import ProcessesView, ShowView, TagsView, running, show, tags
from vaultbridge.server.ollama.wire import ChatRequest, EmbeddingRequest, EmbedRequest, GenerateRequest, ShowRequest
from vaultbridge.server.openapi import streams
from vaultbridge.server.services import services_of
from vaultbridge.server.vault.identity import right_vault

DIALECT = "0.12.11"
"""The release of Ollama whose dialect this is; some clients refuse to speak to older ones."""


class VersionView(TypedDict):
    """The version of the dialect, and of the program that speaks it."""

    version: str
    vaultbridge: str


router = APIRouter(prefix="/api", tags=["ollama"], dependencies=[Depends(right_vault)])
root_router = APIRouter()


@router.post("/chat", response_model=ChatLine, responses=streams(ChatLine, ChatLine, MEDIA_TYPE))
async def chat(request: Request, body: ChatRequest) -> Response | Line:
    """Answer a conversation, grounded in the vault; without messages, load the model, or end it (``keep_alive`` 0)."""
    return await _answer(request, body, chat=True)


@router.post("/generate", response_model=GenerateLine, responses=streams(GenerateLine, GenerateLine, MEDIA_TYPE))
async def generate(request: Request, body: GenerateRequest) -> Response | Line:
    """Answer a prompt, or continue a text, grounded in the vault; without a prompt, load the model, or end it."""
    return await _answer(request, body, chat=False)


async def _answer(request: Request, body: ChatRequest | GenerateRequest, *, chat: bool) -> Response | Line:
    services = services_of(request)
    prompt = body.to_prompt()
    served = services.names.serving(body.id, "completion" if isinstance(prompt, Continuation) else "chat")
    envelope = Envelope(served, chat, body.thinks)
    if prompt is None:
        moved = await while_connected(request, services.fleet.keep(served, body.keeps))
        return envelope.moved(moved) if moved is not None else Response(status_code=CLIENT_LEFT)
    events = ask(services, request.headers, body.id, prompt, body.sampling(), body.vaultbridge, body.keeps)
    if body.streams:
        # A client may leave while it still waits in the queue.
        begun = await while_connected(request, opening(events))
        if begun is None:
            return Response(status_code=CLIENT_LEFT)
        documents = streaming(services, begun, lambda start: lines(envelope, *start))
        return LineStream(documents, keep_alive=lambda: envelope.line(Said()))

    async def collected() -> Line:
        first, rest = await opened(events)
        return await whole(envelope, first, rest)

    result = await while_connected(request, collected())
    return result if result is not None else Response(status_code=CLIENT_LEFT)


@router.post("/embed", response_model=EmbedView)
async def embed_texts(request: Request, body: EmbedRequest) -> Response | EmbedView:
    """Embed texts."""
    view = await while_connected(request, embed(services_of(request), body))
    return view if view is not None else Response(status_code=CLIENT_LEFT)


@router.post("/embeddings", response_model=VectorView)
async def embed_prompt(request: Request, body: EmbeddingRequest) -> Response | VectorView:
    """Embed a text: the older form of ``/api/embed``."""
    view = await while_connected(request, embedding(services_of(request), body))
    return view if view is not None else Response(status_code=CLIENT_LEFT)


@router.get("/tags")
async def list_models(request: Request) -> TagsView:
    """The models that are served: every language model as it is, always grounded and never, and the embedder."""
    services = services_of(request)
    await services.fleet.look()
    return tags(services)


@router.post("/show")
async def show_model(request: Request, body: ShowRequest) -> ShowView:
    """What is known of one of them."""
    return show(services_of(request), body.id)


@router.get("/ps")
async def list_running(request: Request) -> ProcessesView:
    """The models that are loaded."""
    return running(services_of(request))


@router.get("/version")
async def version() -> VersionView:
    """Which Ollama this can be taken for."""
    return {"version": DIALECT, "vaultbridge": __version__}


@router.post("/pull", include_in_schema=False)
@router.post("/push", include_in_schema=False)
@router.post("/create", include_in_schema=False)
@router.post("/copy", include_in_schema=False)
@router.delete("/delete", include_in_schema=False)
async def manage() -> None:
    """Refused: models are managed at the command line."""
    raise InvalidRequest("Models are not managed over HTTP.", "Use `vaultbridge models` at the command line.")


@root_router.head("/", include_in_schema=False)
async def alive() -> Response:
    """What Ollama's clients ask to see whether anybody is there."""
    return Response()
