"""``/v1/embeddings`` and ``/v1/models``."""

from __future__ import annotations

import base64
from dataclasses import replace

import httpx
import numpy as np
import pytest

from tests.server.building import Building, Named

EMBEDDINGS = "/v1/embeddings"


def test_a_text_becomes_a_vector_of_length_one(client: httpx.Client) -> None:
    body = client.post(EMBEDDINGS, json={"model": "any", "input": "tomatoes"}).raise_for_status().json()
    assert body["object"] == "list"
    assert body["usage"]["prompt_tokens"] == body["usage"]["total_tokens"] > 0
    (item,) = body["data"]
    assert (item["object"], item["index"]) == ("embedding", 0)
    assert np.linalg.norm(item["embedding"]) == pytest.approx(1, abs=1e-5)


def test_base64_holds_the_same_floats(client: httpx.Client) -> None:
    def vector(encoding: str) -> object:
        response = client.post(EMBEDDINGS, json={"input": "tomatoes", "encoding_format": encoding})
        return response.json()["data"][0]["embedding"]

    encoded = vector("base64")
    assert isinstance(encoded, str)
    assert np.frombuffer(base64.b64decode(encoded), dtype="<f4").tolist() == vector("float")


def test_a_batch_keeps_its_order(client: httpx.Client) -> None:
    texts = [f"word{number} alone" for number in range(100)]
    batch = client.post(EMBEDDINGS, json={"input": texts}).json()["data"]
    assert [item["index"] for item in batch] == list(range(100))
    for number in (0, 57, 99):
        alone = client.post(EMBEDDINGS, json={"input": texts[number]}).json()["data"][0]["embedding"]
        assert batch[number]["embedding"] == alone


def test_texts_that_share_words_are_nearer(client: httpx.Client) -> None:
    data = client.post(EMBEDDINGS, json={"input": ["red tomatoes", "ripe red tomatoes", "typed delegates"]}).json()
    red, ripe, other = (np.array(item["embedding"]) for item in data["data"])
    assert red @ ripe > red @ other + 0.2


def test_fewer_dimensions_are_the_first_ones_at_length_one(client: httpx.Client) -> None:
    whole = np.array(client.post(EMBEDDINGS, json={"input": "red tomatoes"}).json()["data"][0]["embedding"])
    body = {"input": "red tomatoes", "dimensions": 16}
    cut = np.array(client.post(EMBEDDINGS, json=body).json()["data"][0]["embedding"])
    assert cut == pytest.approx(whole[:16] / np.linalg.norm(whole[:16]), abs=1e-6)


def test_more_dimensions_than_there_are_are_refused(client: httpx.Client) -> None:
    own = len(client.post(EMBEDDINGS, json={"input": "x"}).json()["data"][0]["embedding"])
    assert client.post(EMBEDDINGS, json={"input": "x", "dimensions": own}).status_code == 200
    refused = client.post(EMBEDDINGS, json={"input": "x", "dimensions": own + 1})
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "dimensions"
    assert str(own) in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        *((wrong, "input") for wrong in ([], 5, None, [[1, 2]], [1, 2], ["a"] * 2049, {"text": "x"}, "")),
        (["a", ""], "input.1"),
        (["a", 5], "input.1"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_an_input_that_is_no_text_is_refused(client: httpx.Client, wrong: object, param: str) -> None:
    response = client.post(EMBEDDINGS, json={"input": wrong})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


def test_who_sends_tokens_is_told_what_to_set(client: httpx.Client) -> None:
    error = client.post(EMBEDDINGS, json={"input": [[1, 2], [3]]}).json()["error"]
    assert "check_embedding_ctx_length=False" in error["message"]


def test_without_an_embedder_it_says_so(building: Building) -> None:
    address = building.serve(replace(building.services, embeddings=None))
    with httpx.Client(base_url=address, trust_env=False) as client:
        response = client.post(EMBEDDINGS, json={"input": "x"})
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "model_missing"


def test_the_models_are_the_chat_model_in_three_forms_and_the_embedder(building: Building) -> None:
    names = replace(building.services.names, chat=Named("chatty"), embedder="small-e")
    with httpx.Client(base_url=building.serve(replace(building.services, names=names)), trust_env=False) as client:
        body = client.get("/v1/models").json()
        assert body["object"] == "list"
        assert [model["id"] for model in body["data"]] == ["chatty", "chatty@vault", "chatty@plain", "small-e"]
        for model in body["data"]:
            assert model["object"] == "model"
            assert client.get(f"/v1/models/{model['id']}").json() == model


def test_a_client_may_ask_for_the_head_alone(client: httpx.Client) -> None:
    for path in ("/v1/models", f"/v1/models/{client.get('/v1/models').json()['data'][0]['id']}"):
        response = client.head(path).raise_for_status()
        assert response.content == b""
        assert int(response.headers["content-length"]) == len(client.get(path).content)
    assert client.head("/v1/models/no").status_code == 404


@pytest.mark.parametrize("name", ["gpt-4", "org/model", "fakes@other"])
def test_an_unknown_model_is_not_found(client: httpx.Client, name: str) -> None:
    response = client.get(f"/v1/models/{name}")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"
