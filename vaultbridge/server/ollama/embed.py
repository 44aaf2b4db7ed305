"""Vectors, as Ollama gives them."""

from __future__ import annotations

import time
from collections.abc import Sequence

from typing_extensions import TypedDict

from vaultbridge.core.errors import InvalidRequest
from vaultbridge.core.search import Vector
from vaultbridge.server.ollama.wire import EmbeddingRequest, EmbedRequest
from vaultbridge.server.services import Services
from vaultbridge.server.vectors import shortened
from vaultbridge.vault.measure import measure


class EmbedView(TypedDict):
    """A vector of length 1 for each text; the count is in the house's own measure."""

    model: str
    embeddings: list[list[float]]
    total_duration: int
    load_duration: int
    prompt_eval_count: int


class VectorView(TypedDict):
    """One vector, empty for an empty prompt."""

    embedding: list[float]


async def embed(services: Services, body: EmbedRequest) -> EmbedView:
    """Embed texts; ``dimensions`` cuts the vectors. Raises ModelMissing, UnknownModel, InvalidRequest."""
    began = time.monotonic()
    vectors = await _vectors(services, body.id, body.texts, whole=body.truncate is False)
    return {
        "model": services.names.embedder,
        "embeddings": [shortened(vector, body.dimensions or len(vector)).tolist() for vector in vectors],
        "total_duration": int((time.monotonic() - began) * 1e9),
        "load_duration": 0,
        "prompt_eval_count": sum(map(measure, body.texts)),
    }


async def embedding(services: Services, body: EmbeddingRequest) -> VectorView:
    """Embed a text. Raises ModelMissing, UnknownModel."""
    vectors = await _vectors(services, body.id, [body.prompt] if body.prompt else [], whole=False)
    return {"embedding": vectors[0].tolist() if vectors else []}


async def _vectors(services: Services, model: str, texts: Sequence[str], *, whole: bool) -> list[Vector]:
    embedder = services.embedder(model)
    info = await embedder.info()
    if whole and any(measure(text) > info.max_tokens for text in texts):
        raise InvalidRequest(
            f"{info.name} reads {info.max_tokens} tokens of a text.",
            "Shorten it, or set truncate to true.",
            param="input",
        )
    return [embedded.dense for embedded in await embedder.embed(texts, "document")] if texts else []
