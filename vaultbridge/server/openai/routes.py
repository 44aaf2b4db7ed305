"""``/v1``: chat and plain completions, embeddings, models."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from vaultbridge.chat.service import Request as AnswerRequest
from vaultbridge.core.dialogue import Prompt, Sampling
from vaultbridge.core.errors import InvalidRequest, ModelMissing, UnknownModel
from vaultbridge.server.connection import while_connected
from vaultbridge.server.openai.answer import Envelope, chunks, opened, whole
from vaultbridge.server.openai.options import choose
from vaultbridge.server.openai.wire import ChatBody, CompletionBody, EmbeddingsBody, SamplingBody
from vaultbridge.server.services import Services, services_of
from vaultbridge.server.sse import event_stream
from vaultbridge.server.vault.identity import right_vault
from vaultbridge.vault.measure import measure

CLIENT_LEFT = 499
"""Nobody reads it."""

router = APIRouter(prefix="/v1", dependencies=[Depends(right_vault)])


@router.post("/chat/completions", response_model=None)
async def chat_completions(request: Request, body: ChatBody) -> Response | dict[str, Any]:
    """Answer a conversation, grounded in the vault."""
    return await _answer(request, body, body.to_conversation(), body.sampling(), chat=True)


@router.post("/completions", response_model=None)
async def completions(request: Request, body: CompletionBody) -> Response | dict[str, Any]:
    """Continue a text, grounded in the vault; sources are never put into the text."""
    return await _answer(request, body, body.to_continuation(), body.sampling(), chat=False)


async def _answer(
    request: Request, body: SamplingBody, prompt: Prompt, sampling: Sampling, *, chat: bool
) -> Response | dict[str, Any]:
    services = services_of(request)
    services.names.check(body.model, services.names.generator)
    chosen = choose(
        body.vaultbridge,
        request.headers,
        body.model,
        services.defaults,
        structured=not chat or sampling.grammar is not None,
    )
    envelope = Envelope(services.names.generator, chat)
    events = services.chat.answer(
        AnswerRequest(
            prompt=prompt,
            sampling=sampling,
            grounding=chosen.grounding,
            scope=chosen.scope,
            k=chosen.k,
            sources=chosen.sources,
            note=chosen.note,
        )
    )
    if body.stream:
        # A client may leave while it still waits in the queue.
        start = await while_connected(request, opened(events))
        if start is None:
            return Response(status_code=CLIENT_LEFT)
        return event_stream(
            chunks(envelope, *start, body.wants_usage), keep_alive=lambda: envelope.chunk("" if chat else None)
        )

    async def collected() -> dict[str, Any]:
        first, rest = await opened(events)
        return await whole(envelope, first, rest)

    result = await while_connected(request, collected())
    return result if result is not None else Response(status_code=CLIENT_LEFT)


@router.post("/embeddings")
async def embeddings(request: Request, body: EmbeddingsBody) -> dict[str, Any]:
    """Embed texts. Token counts are in the house's own measure: the embedder's vocabulary is in another process."""
    services = services_of(request)
    if services.embeddings is None:
        raise ModelMissing("No embedder is loaded.", "Start the server with --embedder NAME.")
    services.names.check(body.model, services.names.embedder)
    info = await services.embeddings.info()
    if body.dimensions not in (None, info.dimensions):
        raise InvalidRequest(f"{info.name} has {info.dimensions} dimensions.", param="dimensions")
    texts = [body.input] if isinstance(body.input, str) else body.input
    vectors = await services.embeddings.embed(texts, body.input_type)

    def encoded(vector: np.ndarray[Any, np.dtype[np.float32]]) -> str | list[float]:
        if body.encoding_format == "base64":
            return base64.b64encode(vector.astype("<f4").tobytes()).decode()
        return [float(value) for value in vector]

    tokens = sum(measure(text) for text in texts)
    return {
        "object": "list",
        "model": info.name,
        "data": [
            {"object": "embedding", "index": index, "embedding": encoded(vector.dense)}
            for index, vector in enumerate(vectors)
        ],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


@router.get("/models")
async def models(request: Request) -> dict[str, Any]:
    """The ids that are served: the generator as it is, always grounded and never grounded, and the embedder."""
    names = _ids(services_of(request))
    return {"object": "list", "data": [_model(name) for name in names]}


@router.get("/models/{name:path}")
async def model(request: Request, name: str) -> dict[str, Any]:
    """One of them."""
    services = services_of(request)
    if name not in _ids(services):
        raise UnknownModel(f"The model {name!r} is not served here.", "See /v1/models.", param="model")
    return _model(name)


def _ids(services: Services) -> list[str]:
    generator, embedder = services.names.generator, services.names.embedder
    return [generator, f"{generator}@vault", f"{generator}@plain", *([embedder] if embedder else [])]


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "vaultbridge"}
