"""Ollama's lists of models, its embeddings, and what it can do and this server does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import httpx
import numpy as np
import pytest

from tests.server.building import Building, Named
from tests.server.reading import Json
from vaultbridge.server.services import ModelFacts


@contextmanager
def named(building: Building, *, strict: bool = False) -> Iterator[httpx.Client]:
    """The house with models whose names differ, and of which something is known."""
    names = replace(building.services.names, chat=Named("chatty"), embedder="small-e", strict=strict)
    facts = {"chatty": ModelFacts(8192, 3_000_000, 1_700_000_000.0, "gguf"), "small-e": ModelFacts(512)}
    services = replace(building.services, names=names, facts=lambda name: facts.get(name, ModelFacts()))
    address = building.serve(services)
    with httpx.Client(base_url=address, trust_env=False) as client:
        yield client


def test_the_models_are_the_chat_model_in_three_forms_and_the_embedder(building: Building) -> None:
    with named(building) as client:
        models = client.get("/api/tags").raise_for_status().json()["models"]
    assert [model["name"] for model in models] == ["chatty", "chatty@vault", "chatty@plain", "small-e"]
    assert [model["model"] for model in models] == [model["name"] for model in models]
    assert models[0]["size"] == 3_000_000
    assert models[0]["modified_at"] == "2023-11-14T22:13:20Z"
    assert len({model["digest"] for model in models}) == 4
    assert all(len(model["digest"]) == 64 for model in models)
    assert models[0]["details"]["format"] == "gguf"


def test_a_model_says_what_it_can_do_and_how_much_it_reads(building: Building) -> None:
    with named(building, strict=True) as client:
        for name in ("chatty", "chatty:latest", "chatty@vault", "chatty@plain:latest"):
            shown = client.post("/api/show", json={"model": name}).raise_for_status().json()
            assert shown["capabilities"] == ["completion", "tools"]
            kind = shown["model_info"]["general.architecture"]
            assert shown["model_info"][f"{kind}.context_length"] == 8192
            assert set(shown["details"]) >= {"format", "family", "parameter_size", "quantization_level"}
        embedder = client.post("/api/show", json={"name": "small-e"}).json()
        assert embedder["capabilities"] == ["embedding"]
        assert client.post("/api/show", json={"model": "other"}).status_code == 404
        assert client.post("/api/show", json={}).status_code == 400


def test_any_name_is_the_chat_model_unless_names_are_strict(building: Building) -> None:
    with named(building) as client:
        shown = client.post("/api/show", json={"model": "llama3.2:1b"}).raise_for_status().json()
    assert shown["model_info"]["general.basename"] == "chatty"


def test_passages_call_no_tools(building: Building) -> None:
    services = replace(building.services, names=replace(building.services.names, chat=Named()))
    with httpx.Client(base_url=building.serve(services), trust_env=False) as client:
        assert client.post("/api/show", json={"model": "passages"}).json()["capabilities"] == ["completion"]


def test_only_what_is_loaded_is_running(building: Building) -> None:
    class Embedder:
        name, state, reason = "embedder", "loading", ""
        expires: float | None = None

    embedder = Embedder()
    names = replace(building.services.names, embedder="small-e")
    services = replace(building.services, names=names, search_models=(embedder,))
    with httpx.Client(base_url=building.serve(services), trust_env=False) as client:

        def running() -> dict[str, Json]:
            return {model["name"]: model for model in client.get("/api/ps").raise_for_status().json()["models"]}

        def keep(keep_alive: object) -> str:
            body = {"model": "fakes", "keep_alive": keep_alive}
            return str(client.post("/api/generate", json=body).raise_for_status().json()["done_reason"])

        assert keep(0) == "unload"
        assert running() == {}
        assert keep("5m") == "load"
        embedder.state = "ready"
        assert set(running()) == {"fakes", "small-e"}
        assert running()["fakes"]["context_length"] > 0
        left = datetime.fromisoformat(running()["fakes"]["expires_at"]) - datetime.now(timezone.utc)
        assert timedelta(minutes=4) < left <= timedelta(minutes=5)
        assert running()["small-e"]["expires_at"].startswith("9999"), "it stays"
        assert keep(-1) == "load"
        assert running()["fakes"]["expires_at"].startswith("9999")
        assert keep(0) == "unload"
        assert set(running()) == {"small-e"}
        embedder.expires = 1_700_000_000.0
        assert running()["small-e"]["expires_at"] == "2023-11-14T22:13:20Z"
        embedder.state = "stopped"
        assert running() == {}


def test_somebody_is_there(client: httpx.Client) -> None:
    assert client.head("/").status_code == 200
    version = client.get("/api/version").json()["version"]
    assert tuple(map(int, version.split("."))) >= (0, 6, 4), "older ones are refused by some clients"


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "pull"), ("POST", "push"), ("POST", "create"), ("POST", "copy"), ("DELETE", "delete")],
)
def test_models_are_not_managed_here(client: httpx.Client, method: str, path: str) -> None:
    response = client.request(method, f"/api/{path}", json={"model": "x", "stream": True})
    assert response.status_code == 400
    assert "vaultbridge models" in response.json()["error"]


# --- embeddings ---------------------------------------------------------------------------------------------------


def embedded(client: httpx.Client, texts: object, **more: object) -> list[list[float]]:
    body = client.post("/api/embed", json={"model": "any:latest", "input": texts, **more}).raise_for_status().json()
    vectors: list[list[float]] = body["embeddings"]
    return vectors


def test_a_text_or_several_become_vectors_of_length_one(client: httpx.Client) -> None:
    one = client.post("/api/embed", json={"model": "x", "input": "red tomatoes"}).raise_for_status().json()
    assert one["prompt_eval_count"] > 0
    assert one["total_duration"] > 0
    assert np.linalg.norm(one["embeddings"][0]) == pytest.approx(1, abs=1e-5)
    both = embedded(client, ["typed delegates", "red tomatoes"])
    assert both[1] == one["embeddings"][0]
    assert client.post("/v1/embeddings", json={"input": "red tomatoes"}).json()["data"][0]["embedding"] == both[1]


@pytest.mark.parametrize("nothing", ["", [], None])
def test_nothing_becomes_no_vector(client: httpx.Client, nothing: object) -> None:
    assert embedded(client, nothing) == []


def test_fewer_dimensions_are_the_first_ones(client: httpx.Client) -> None:
    (whole,), (short,) = embedded(client, "red tomatoes"), embedded(client, "red tomatoes", dimensions=16)
    assert len(short) == 16
    assert short == pytest.approx(np.array(whole[:16]) / np.linalg.norm(whole[:16]), abs=1e-6)
    assert embedded(client, "red tomatoes", dimensions=10**6) == [whole]


def test_what_is_too_long_is_cut_unless_that_is_forbidden(client: httpx.Client) -> None:
    long = "word " * 100_000
    assert len(embedded(client, long)) == 1
    refused = client.post("/api/embed", json={"input": [long], "truncate": False})
    assert refused.status_code == 400
    assert "truncate" in refused.json()["error"]


def test_the_older_form_gives_the_same(client: httpx.Client) -> None:
    old = client.post("/api/embeddings", json={"model": "x", "prompt": "red tomatoes"}).raise_for_status().json()
    assert old == {"embedding": embedded(client, "red tomatoes")[0]}
    assert client.post("/api/embeddings", json={"model": "x", "prompt": ""}).json() == {"embedding": []}


@pytest.mark.parametrize("wrong", [5, [[1, 2]], {"text": "x"}, ["a", 1]])
def test_an_input_that_is_no_text_is_refused(client: httpx.Client, wrong: object) -> None:
    response = client.post("/api/embed", json={"input": wrong})
    assert response.status_code == 400
    assert "input" in response.json()["error"]


def test_without_an_embedder_it_says_so(building: Building) -> None:
    address = building.serve(replace(building.services, embeddings=None))
    with httpx.Client(base_url=address, trust_env=False) as client:
        response = client.post("/api/embed", json={"input": "x"})
    assert response.status_code == 503
    assert "--embedder" in response.json()["error"]


def test_another_vault_is_refused(client: httpx.Client) -> None:
    for method, path in (("GET", "/api/tags"), ("POST", "/api/chat")):
        sent: Json = {"messages": [{"role": "user", "content": "x"}]}
        wrong = client.request(method, path, json=sent, headers={"X-Vaultbridge-Vault": "0123456789ab"})
        assert wrong.status_code == 409
        assert isinstance(wrong.json()["error"], str)
