"""Texts to vectors."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from vaultbridge.core.errors import InvalidRequest
from vaultbridge.core.ports import EmbeddingService
from vaultbridge.core.search import Vector
from vaultbridge.server.vectors import shortened
from vaultbridge.vault.measure import measure

MOST_TEXTS = 2048


def _no_tokens(value: Any) -> Any:
    inner = value
    while isinstance(inner, list) and inner:
        inner = inner[0]
    if isinstance(value, list) and isinstance(inner, int):
        raise PydanticCustomError(
            "tokens",
            "Tokens of another model mean nothing here; send texts (in LangChain: check_embedding_ctx_length=False)",
        )
    return value


Text = Annotated[str, Field(min_length=1)]


class EmbeddingsBody(BaseModel):
    """Texts to be embedded; ``input_type`` says what they are to a model that tells questions from passages."""

    model_config = ConfigDict(
        extra="ignore", json_schema_extra={"examples": [{"input": ["red tomatoes", "green tomatoes"]}]}
    )

    model: str = ""
    input: Annotated[
        Text | Annotated[list[Text], Field(min_length=1, max_length=MOST_TEXTS)], BeforeValidator(_no_tokens)
    ]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1)] | None = None
    input_type: Literal["query", "document"] = "document"


class EmbeddingView(TypedDict):
    """A text's vector: numbers, or the base64 of little-endian 32-bit floats."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class TextUsage(TypedDict):
    """Tokens in the house's own measure: the embedder's vocabulary is in another process."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsView(TypedDict):
    """The vectors in the order of the texts, each of length one."""

    object: Literal["list"]
    model: str
    data: list[EmbeddingView]
    usage: TextUsage


async def embeddings_view(embedder: EmbeddingService, body: EmbeddingsBody) -> EmbeddingsView:
    """Embed; fewer dimensions than the model has are its first ones, brought to length one again.

    Raises InvalidRequest for more, EmbedFailed.
    """
    info = await embedder.info()
    dimensions = body.dimensions or info.dimensions
    if dimensions > info.dimensions:
        raise InvalidRequest(f"{info.name} has {info.dimensions} dimensions.", "Ask for fewer.", param="dimensions")
    texts = [body.input] if isinstance(body.input, str) else body.input
    vectors = await embedder.embed(texts, body.input_type)
    return {
        "object": "list",
        "model": info.name,
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": _encoded(shortened(vector.dense, dimensions), body.encoding_format == "base64"),
            }
            for index, vector in enumerate(vectors)
        ],
        "usage": text_usage(texts),
    }


def text_usage(texts: list[str]) -> TextUsage:
    """About how many tokens ``texts`` are."""
    tokens = sum(map(measure, texts))
    return {"prompt_tokens": tokens, "total_tokens": tokens}


def _encoded(vector: Vector, base64_wanted: bool) -> str | list[float]:
    if base64_wanted:
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return [float(value) for value in vector]
