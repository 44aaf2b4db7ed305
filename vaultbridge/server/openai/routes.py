"""``/v1``: chat and plain completions, responses, embeddings, reranking, models."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from vaultbridge.core.dialogue import Prompt, Sampling
from vaultbridge.server.asking import CLIENT_LEFT, Begun, Events, ask, opened, opening, streaming
from vaultbridge.server.connection import while_connected
from vaultbridge.server.openai.answer import chunks, whole
from vaultbridge.server.openai.chat import ChatBody, ChatEnvelope
from vaultbridge.server.openai.chat_views import ChatChunk, ChatView
from vaultbridge.server.openai.completions import CompletionBody, CompletionChunk, CompletionEnvelope, CompletionView
from vaultbridge.server.openai.embeddings import EmbeddingsBody, EmbeddingsView, embeddings_view
from vaultbridge.server.openai.models import ModelCard, ModelsView, model_view, models_view
from vaultbridge.server.openai.rerank import RerankBody, RerankView, rerank_view
from vaultbridge.server.openai.response_events import Response as Answering
from vaultbridge.server.openai.response_events import response_events, whole_response
from vaultbridge.server.openai.response_views import ResponseEvent, ResponseView
from vaultbridge.server.openai.responses import ResponsesBody
from vaultbridge.server.openai.sampling import SamplingBody
from vaultbridge.server.openapi import replies, streams
from vaultbridge.server.services import Services, services_of
from vaultbridge.server.sse import event_stream
from vaultbridge.server.vault.identity import right_vault

router = APIRouter(dependencies=[Depends(right_vault)])


@router.post("/v1/chat/completions", tags=["answers"], response_model=None, responses=streams(ChatView, ChatChunk))
async def chat_completions(request: Request, body: ChatBody) -> Response:
    """Answer a conversation, grounded in the vault."""
    services = services_of(request)
    envelope = ChatEnvelope(services.names.serving(body.model))
    events = _ask(services, request, body, body.to_conversation(), body.sampling())
    if body.stream:
        return await _stream(request, events, lambda begun: chunks(envelope, *begun, body.wants_usage), envelope.quiet)
    return await _whole(request, events, lambda begun: whole(envelope, *begun))


@router.post(
    "/v1/completions",
    tags=["answers"],
    response_model=None,
    responses=streams(CompletionView, CompletionChunk),
)
async def completions(request: Request, body: CompletionBody) -> Response:
    """Continue a text, grounded in the vault; sources are never put into the text."""
    services = services_of(request)
    envelope = CompletionEnvelope(services.names.serving(body.model, "completion"), body.echoed)
    events = _ask(services, request, body, body.to_continuation(), body.sampling())
    if body.stream:
        return await _stream(request, events, lambda begun: chunks(envelope, *begun, body.wants_usage), envelope.quiet)
    return await _whole(request, events, lambda begun: whole(envelope, *begun))


@router.post("/v1/responses", tags=["answers"], response_model=None, responses=streams(ResponseView, ResponseEvent))
async def responses(request: Request, body: ResponsesBody) -> Response:
    """Answer a conversation, grounded in the vault. Nothing is stored."""
    services = services_of(request)
    served = services.names.serving(body.model)
    answering = Answering(body.to_view(f"resp_{uuid.uuid4().hex}", int(time.time()), served))
    events = _ask(services, request, body, body.to_conversation(), body.sampling())
    if body.stream:
        return await _stream(
            request, events, lambda begun: response_events(answering, *begun), answering.quiet, named=True
        )
    return await _whole(request, events, lambda begun: whole_response(answering, *begun))


def _ask(services: Services, request: Request, body: SamplingBody, prompt: Prompt, sampling: Sampling) -> Events:
    return ask(services, request.headers, body.model, prompt, sampling, body.vaultbridge, body.keeps)


async def _stream(
    request: Request,
    events: Events,
    chunks_of: Callable[[Begun], AsyncGenerator[Mapping[str, object], None]],
    keep_alive: Callable[[], Mapping[str, object]],
    *,
    named: bool = False,
) -> Response:
    # A client may leave while it still waits in the queue.
    begun = await while_connected(request, opening(events))
    if begun is None:
        return Response(status_code=CLIENT_LEFT)
    return event_stream(streaming(services_of(request), begun, chunks_of), keep_alive, named=named)


async def _whole(
    request: Request, events: Events, body_of: Callable[[Begun], Coroutine[Any, Any, Mapping[str, object]]]
) -> Response:
    async def collected() -> Mapping[str, object]:
        return await body_of(await opened(events))

    return await _reply(request, collected())


async def _reply(request: Request, work: Coroutine[Any, Any, Mapping[str, object]]) -> Response:
    body = await while_connected(request, work)
    return Response(status_code=CLIENT_LEFT) if body is None else JSONResponse(body)


@router.post("/v1/embeddings", tags=["vectors"], response_model=None, responses=replies(EmbeddingsView))
async def embeddings(request: Request, body: EmbeddingsBody) -> Response:
    """Embed texts."""
    return await _reply(request, embeddings_view(services_of(request).embedder(body.model), body))


@router.post("/v1/rerank", tags=["vectors"], response_model=None, responses=replies(RerankView))
@router.post("/v2/rerank", include_in_schema=False, response_model=None)
@router.post("/rerank", include_in_schema=False, response_model=None)
async def rerank(request: Request, body: RerankBody) -> Response:
    """Put passages in the order in which they answer a question. Also at ``/v2/rerank`` and ``/rerank``."""
    return await _reply(request, rerank_view(services_of(request), body))


@router.head("/v1/models", include_in_schema=False, response_model=None)
@router.get("/v1/models", tags=["models"], response_model=None, responses=replies(ModelsView))
async def models(request: Request) -> ModelsView:
    """The ids that are served: every installed language model as it is, always grounded and never, and the embedder."""
    services = services_of(request)
    await services.fleet.look()
    return models_view(services.names)


@router.head("/v1/models/{name:path}", include_in_schema=False, response_model=None)
@router.get("/v1/models/{name:path}", tags=["models"], response_model=None, responses=replies(ModelCard))
async def model(request: Request, name: str) -> ModelCard:
    """One of them."""
    return model_view(services_of(request).names, name)
