"""``/v1/rerank`` as Jina's and Cohere's clients use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.server.building import Building
from vaultbridge.backends.fakes.reranker import FakeReranker
from vaultbridge.server.services import Services

RERANK = "/v1/rerank"
DOCUMENTS = ["typed delegates", "ripe red tomatoes", "red bees"]
BODY: dict[str, Any] = {"model": "any", "query": "red tomatoes", "documents": DOCUMENTS}


def test_passages_come_back_best_first_with_scores_between_0_and_1(client: httpx.Client) -> None:
    body = client.post(RERANK, json=BODY).raise_for_status().json()
    results = body["results"]
    assert [result["index"] for result in results] == [1, 2, 0]
    assert [result["document"]["text"] for result in results] == [DOCUMENTS[1], DOCUMENTS[2], DOCUMENTS[0]]
    scores = [result["relevance_score"] for result in results]
    assert 1 >= scores[0] > scores[1] > scores[2] >= 0
    assert body["model"] == client.post("/v1/embeddings", json={"input": "x"}).json()["model"]
    assert body["id"]
    assert body["usage"]["total_tokens"] > 0
    assert body["meta"]["billed_units"]["search_units"] == 1


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank", "/rerank"])
def test_every_path_and_both_shapes_of_documents(client: httpx.Client, path: str) -> None:
    documents = [{"text": DOCUMENTS[0]}, DOCUMENTS[1], {"text": DOCUMENTS[2], "title": "ignored"}]
    body = {**BODY, "documents": documents, "top_n": 1, "return_documents": False, "max_tokens_per_doc": 100}
    (result,) = client.post(path, json=body).raise_for_status().json()["results"]
    assert result["index"] == 1
    assert "document" not in result


def test_more_than_there_is_is_all_there_is(client: httpx.Client) -> None:
    assert len(client.post(RERANK, json={**BODY, "top_n": 99}).json()["results"]) == 3


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"query": ""}, "query"),
        ({"documents": []}, "documents"),
        ({"documents": [{"title": "x"}]}, "documents.0.text"),
        ({"documents": ["x", 5]}, "documents.1"),
        ({"top_n": 0}, "top_n"),
    ],
)
def test_what_is_wrong_is_named(client: httpx.Client, wrong: dict[str, Any], param: str) -> None:
    response = client.post(RERANK, json={**BODY, **wrong})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


class Reranker:
    """Implements ``core.ports.RerankService``."""

    name = "fake-reranker"

    async def ready(self) -> None:
        return

    async def score(self, question: str, passages: Sequence[str]) -> list[float]:
        return FakeReranker().score(question, passages)


@pytest.fixture
def reranking(building: Building) -> Services:
    """The same services with a reranker, and without an embedder, which is not needed then."""
    names = replace(building.services.names, reranker="fake-reranker")
    return replace(building.services, embeddings=None, reranker=Reranker(), names=names)


def test_a_reranker_scores_if_there_is_one(building: Building, reranking: Services) -> None:
    with httpx.Client(base_url=building.serve(reranking), trust_env=False) as client:
        body = client.post(RERANK, json=BODY).raise_for_status().json()
    assert [(result["index"], result["relevance_score"]) for result in body["results"]] == [
        (1, 1.0),
        (2, 0.5),
        (0, 0.0),
    ]
    assert body["model"] == "fake-reranker"


def test_strict_names_ask_for_the_reranker(building: Building, reranking: Services) -> None:
    strict = replace(reranking, names=replace(reranking.names, strict=True))
    with httpx.Client(base_url=building.serve(strict), trust_env=False) as client:
        assert client.post(RERANK, json={**BODY, "model": "fake-reranker"}).status_code == 200
        assert client.post(RERANK, json=BODY).status_code == 404


def test_the_models_list_it(building: Building, reranking: Services) -> None:
    with httpx.Client(base_url=building.serve(reranking), trust_env=False) as client:
        assert "fake-reranker" in [model["id"] for model in client.get("/v1/models").json()["data"]]
        assert client.get("/v1/models/fake-reranker").status_code == 200


def test_without_an_embedder_it_says_so(building: Building) -> None:
    address = building.serve(replace(building.services, embeddings=None))
    with httpx.Client(base_url=address, trust_env=False) as client:
        response = client.post(RERANK, json=BODY)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "model_missing")
