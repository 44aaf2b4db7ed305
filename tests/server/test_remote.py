"""Embedders and rerankers behind an address: against our own server, and against replies that it would not give."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest

from tests.server.building import Building
from vaultbridge.backends.fakes.embedder import FakeEmbedder
from vaultbridge.backends.remote_embed import RemoteEmbedder
from vaultbridge.backends.remote_rerank import RemoteReranker
from vaultbridge.core.errors import ConfigError, EmbedFailed
from vaultbridge.server.guard import GuardOptions

AWKWARD = ["", "   \n\t ", "\0", "🌱🪴 emoji", "\ud800 lone surrogate", "word " * 9000]
KEY = "secret-key"

Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(scope="module")
def embedder(address: str) -> RemoteEmbedder:
    return RemoteEmbedder(f"{address}/v1", name="there", model="any")


# --- against our own server -------------------------------------------------------------------------------------------


def test_the_vectors_are_those_of_the_model_behind_it(embedder: RemoteEmbedder) -> None:
    texts = [f"note {number} about tomatoes" for number in range(70)]
    ours = embedder.embed(texts, "document")
    theirs = FakeEmbedder().embed(texts, "document")
    assert embedder.info.dimensions == FakeEmbedder().info.dimensions
    for one, other in zip(ours, theirs, strict=True):
        assert one.dense == pytest.approx(other.dense, abs=1e-6)


def test_no_text_is_an_error(embedder: RemoteEmbedder) -> None:
    assert embedder.embed([], "query") == []
    for embedding in embedder.embed(AWKWARD, "document"):
        assert embedding.dense.dtype == np.float32
        assert np.linalg.norm(embedding.dense) == pytest.approx(1, abs=1e-5)


def test_prefixes_go_in_front(address: str, embedder: RemoteEmbedder) -> None:
    prefixed = RemoteEmbedder(f"{address}/v1/", name="there", model="any", query_prefix="query: ")
    (ours,) = prefixed.embed(["tomatoes"], "query")
    (spelled,) = embedder.embed(["query: tomatoes"], "query")
    assert ours.dense == pytest.approx(spelled.dense, abs=1e-6)
    assert prefixed.info.fingerprint != embedder.info.fingerprint


def test_the_space_is_named_by_address_and_model(address: str, embedder: RemoteEmbedder) -> None:
    again = RemoteEmbedder(f"{address}/v1", name="other name", model="any", floor=0.3)
    other = RemoteEmbedder(f"{address}/v1", name="there", model="other")
    assert again.info.fingerprint == embedder.info.fingerprint
    assert other.info.fingerprint != embedder.info.fingerprint


def test_the_scores_are_those_of_the_server(address: str) -> None:
    reranker = RemoteReranker(f"{address}/v1", name="there")
    scores = reranker.score("red tomatoes", ["typed delegates", "ripe red tomatoes", "", "\ud800"])
    assert scores.index(max(scores)) == 1
    assert all(0 <= score <= 1 for score in scores)
    assert reranker.score("red tomatoes", []) == []


def test_a_key_opens_and_a_wrong_one_is_told(building: Building, caplog: pytest.LogCaptureFixture) -> None:
    address = building.serve(options=GuardOptions(token=KEY)) + "/v1"
    with caplog.at_level(logging.DEBUG):
        assert RemoteEmbedder(address, name="x", key=KEY).info.dimensions
        assert RemoteReranker(address, name="x", key=KEY).score("q", ["p"])
        for key in ("", "another-key"):
            with pytest.raises(ConfigError, match="status 401") as refused:
                RemoteEmbedder(address, name="x", key=key)
            assert "another-key" not in str(refused.value)
    assert KEY not in caplog.text
    assert "another-key" not in caplog.text


def test_a_server_that_has_no_embedder_says_so(building: Building) -> None:
    address = building.serve(replace(building.services, embeddings=None)) + "/v1"
    with pytest.raises(EmbedFailed, match="status 503"):
        RemoteEmbedder(address, name="x", sleep=lambda seconds: None)


# --- replies that ours would not give ---------------------------------------------------------------------------------


def answering(*bodies: Any) -> Handler:
    """Answers the bodies in turn, the last one for ever; a number is a status."""
    left = list(bodies)

    def answer(request: httpx.Request) -> httpx.Response:
        body = left.pop(0) if len(left) > 1 else left[0]
        return httpx.Response(body) if isinstance(body, int) else httpx.Response(200, json=body)

    return answer


def vectors(*rows: list[float]) -> dict[str, Any]:
    """In the order of the rows, the last one first."""
    return {"data": [{"index": index, "embedding": row} for index, row in reversed(list(enumerate(rows)))]}


def remote(handler: Handler, slept: list[float] | None = None) -> RemoteEmbedder:
    waits = slept if slept is not None else []
    return RemoteEmbedder("http://x/v1", name="x", transport=httpx.MockTransport(handler), sleep=waits.append)


def reranker(handler: Handler) -> RemoteReranker:
    return RemoteReranker("http://x/v1", name="x", model="m", transport=httpx.MockTransport(handler))


def test_vectors_are_put_in_order_and_brought_to_length_one() -> None:
    embedder = remote(answering(vectors([1, 0]), vectors([3, 4], [0, 2])))
    one, two = embedder.embed(["a", "b"], "query")
    assert one.dense == pytest.approx([0.6, 0.8])
    assert two.dense == pytest.approx([0, 1])


def test_vectors_may_come_as_base64() -> None:
    sent = base64.b64encode(np.array([3, 4], "<f4").tobytes()).decode()
    (embedding,) = remote(answering(vectors([1, 0]), {"data": [{"index": 0, "embedding": sent}]})).embed(["a"], "query")
    assert embedding.dense == pytest.approx([0.6, 0.8])


def test_a_server_that_takes_fewer_texts_at_once_gets_fewer() -> None:
    taken: list[int] = []

    def ten(request: httpx.Request) -> httpx.Response:
        texts = json.loads(request.content)["input"]
        if len(texts) > 10:
            return httpx.Response(400, json={"error": {"message": "batch size is invalid"}})
        taken.append(len(texts))
        return httpx.Response(200, json=vectors(*([float(len(text)), 1] for text in texts)))

    embedder = remote(ten)
    texts = ["x" * number for number in range(1, 41)]
    lengths = [embedding.dense[0] / embedding.dense[1] for embedding in embedder.embed(texts, "document")]
    assert lengths == pytest.approx(range(1, 41), rel=1e-5)
    assert taken == [1, 8, 8, 8, 8, 8]


def test_a_single_text_that_is_refused_is_told() -> None:
    def none_is_taken(request: httpx.Request) -> httpx.Response:
        if json.loads(request.content)["input"] == ["dimensions"]:
            return httpx.Response(200, json=vectors([1, 0]))
        return httpx.Response(413, json={"message": "input is too large to process"})

    with pytest.raises(EmbedFailed, match="too large to process"):
        remote(none_is_taken).embed(["a", "b", "c"], "document")


def test_a_server_that_is_busy_is_asked_again_but_not_for_ever() -> None:
    slept: list[float] = []
    assert remote(answering(503, 429, vectors([1, 0])), slept).info.dimensions == 2
    assert len(slept) == 2
    with pytest.raises(EmbedFailed, match="status 503"):
        remote(answering(503), slept)
    assert len(slept) == 4


def test_a_server_that_is_away_is_an_embedding_that_failed() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(EmbedFailed, match="refused"):
        remote(away)
    with pytest.raises(EmbedFailed, match="refused"):
        reranker(away).score("q", ["p"])


@pytest.mark.parametrize(
    ("status", "hint"),
    [(401, "models.embedder_key"), (403, "models.embedder_key"), (404, "/v1"), (405, "/v1")],
)
def test_what_the_settings_got_wrong_is_told_with_what_to_change(status: int, hint: str) -> None:
    with pytest.raises(ConfigError, match=f"status {status}") as refused:
        remote(answering(status))
    assert hint in refused.value.hint
    with pytest.raises(ConfigError, match=f"status {status}"):
        reranker(answering(status)).score("q", ["p"])


def test_a_server_that_takes_too_long_is_told_as_such() -> None:
    def slow(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("")

    with pytest.raises(EmbedFailed, match="nothing came within 60 s"):
        remote(slow)
    with pytest.raises(EmbedFailed, match="nothing came within 10 s"):
        reranker(slow).score("q", ["p"])


@pytest.mark.parametrize(
    "body",
    [
        {"object": "list"},
        [],
        {"data": [{"index": 0}]},
        {"data": [{"index": 0, "embedding": "AAAA"}]},
        {"data": [{"index": 0, "embedding": "no base64"}]},
        vectors([1, 0, 0]),
        vectors([float(1), 0], [0, 1]),
    ],
    ids=["nothing", "a list", "no vector", "half a number", "no base64", "other dimensions", "too many"],
)
def test_a_reply_that_makes_no_sense_fails(body: Any) -> None:
    with pytest.raises(EmbedFailed):
        remote(answering(vectors([1, 0]), body)).embed(["a"], "query")


def test_what_is_no_json_fails() -> None:
    with pytest.raises(EmbedFailed, match="JSON"):
        remote(lambda request: httpx.Response(200, text="<html>"))


def test_why_a_server_refuses_is_handed_on() -> None:
    said = {"error": {"message": "input is too large to process", "code": 400}}
    with pytest.raises(EmbedFailed, match="too large to process"):
        remote(lambda request: httpx.Response(400, json=said))


# As their documentation and their replies show them; the best comes first.
REPLIES: dict[str, Any] = {
    "jina": {
        "model": "m",
        "usage": {"total_tokens": 9},
        "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.2}],
    },
    "cohere": {
        "id": "x",
        "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.2}],
        "meta": {"api_version": {"version": "2"}},
    },
    "llama-server": {
        "object": "list",
        "results": [{"index": 0, "relevance_score": -1.3863}, {"index": 1, "relevance_score": 2.1972}],
    },
}


@pytest.mark.parametrize("reply", REPLIES.values(), ids=list(REPLIES))
def test_every_known_shape_is_read(reply: Any) -> None:
    sent: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append((request.url.path, json.loads(request.content)))
        return httpx.Response(200, json=reply)

    assert reranker(answer).score("q", ["one", "two"]) == pytest.approx([0.2, 0.9], abs=1e-4)
    ((path, body),) = sent
    assert path == "/v1/rerank"
    assert (body["model"], body["query"], body["documents"], body["top_n"]) == ("m", "q", ["one", "two"], 2)


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"results": []},
        {"results": [{"index": 0, "relevance_score": 1}]},
        [],
        {"results": [{"index": 5, "relevance_score": 1}, {"index": 0, "relevance_score": 1}]},
        {"results": [{"index": 0, "relevance_score": "x"}, {"index": 1, "relevance_score": 1}]},
    ],
)
def test_scores_that_are_missing_or_none_fail(reply: Any) -> None:
    with pytest.raises(EmbedFailed):
        reranker(answering(reply)).score("q", ["one", "two"])


def test_a_reranker_is_asked_once() -> None:
    asked: list[httpx.Request] = []

    def busy(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(503)

    with pytest.raises(EmbedFailed):
        reranker(busy).score("q", ["p"])
    assert len(asked) == 1
