"""Passages in the order in which they answer a question, as Jina and Cohere ask for it."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import NotRequired, TypedDict

from vaultbridge.core.ports import EmbeddingService
from vaultbridge.server.openai.embeddings import TextUsage, text_usage
from vaultbridge.server.services import Services

MOST_DOCUMENTS = 1000


class DocumentBody(BaseModel):
    """A passage in an object."""

    model_config = ConfigDict(extra="ignore")

    text: str


class RerankBody(BaseModel):
    """A question and passages; ``top_n`` of them come back, with their texts unless ``return_documents`` is false."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={"examples": [{"query": "red fruit", "documents": ["tomatoes", "delegates"], "top_n": 1}]},
    )

    model: str = ""
    query: Annotated[str, Field(min_length=1)]
    documents: Annotated[list[str | DocumentBody], Field(min_length=1, max_length=MOST_DOCUMENTS)]
    top_n: Annotated[int, Field(ge=1)] | None = None
    return_documents: bool | None = None

    @property
    def texts(self) -> list[str]:
        """The passages."""
        return [document if isinstance(document, str) else document.text for document in self.documents]


class DocumentView(TypedDict):
    """A passage."""

    text: str


class RankedView(TypedDict):
    """A passage's place among those that were sent, and how well it answers, from 0 to 1."""

    index: int
    relevance_score: float
    document: NotRequired[DocumentView]


class ApiVersion(TypedDict):
    """Cohere's."""

    version: str


class BilledUnits(TypedDict):
    """Nobody pays; Cohere's client wants to know."""

    search_units: int


class MetaView(TypedDict):
    """What Cohere's clients read beside the results."""

    api_version: ApiVersion
    billed_units: BilledUnits


class RerankView(TypedDict):
    """The passages, best first; ``model`` is what scored them."""

    id: str
    object: Literal["list"]
    model: str
    results: list[RankedView]
    usage: TextUsage
    meta: MetaView


async def rerank_view(services: Services, body: RerankBody) -> RerankView:
    """Score by the reranker, or without one by the cosine of the embedder's vectors.

    Raises ModelMissing if there is neither, UnknownModel, EmbedFailed, NotReady or WorkerLost.
    """
    texts = body.texts
    if services.reranker is not None:
        services.names.check(body.model, services.names.reranker)
        name = services.reranker.name
        await services.reranker.ready()
        scores = await services.reranker.score(body.query, texts)
    else:
        embedder = services.embedder(body.model)
        name = (await embedder.info()).name
        scores = await _cosines(embedder, body.query, texts)
    ranked = sorted(range(len(texts)), key=lambda index: -scores[index])[: body.top_n]
    results: list[RankedView] = [{"index": index, "relevance_score": scores[index]} for index in ranked]
    if body.return_documents is not False:
        for result in results:
            result["document"] = {"text": texts[result["index"]]}
    return {
        "id": uuid.uuid4().hex,
        "object": "list",
        "model": name,
        "results": results,
        "usage": text_usage([body.query, *texts]),
        "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
    }


async def _cosines(embedder: EmbeddingService, query: str, texts: list[str]) -> list[float]:
    """Between 0 and 1."""
    [question] = await embedder.embed([query], "query")
    passages = await embedder.embed(texts, "document")
    return [min(max((1 + float(question.dense @ passage.dense)) / 2, 0.0), 1.0) for passage in passages]
