"""What is away is told, and the answer still comes: real processes, with the fake models."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.faulty import DEADLY, SLOW
from tests.scenarios.serving import Run, Served, eventually
from tests.server.building import TOMATOES, TOMATOES_LINK, write_vault

ASKED = {"messages": [{"role": "user", "content": TOMATOES}], "vaultbridge": {"grounding": "auto"}}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path, write_vault(tmp_path / "My Vault"), "--reranker", "auto") as served:
        served.wait_until_indexed()
        eventually(lambda: state(served, "reranker") == "ready", "the reranker is not loaded")
        yield served


def state(served: Served, role: str) -> str:
    return str(served.client.get("/health").json()["models"][role]["state"])


def search(served: Served) -> dict[str, Any]:
    found: dict[str, Any] = served.client.get("/vault/search", params={"q": TOMATOES}).raise_for_status().json()
    return found


def process(served: Served, name: str) -> int:
    """The child that runs a model, by what only it has loaded; they start in the order of their roles."""
    spawned = [pid for pid in served.children() if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return spawned[["embedder", "reranker", "generator"].index(name)]


def test_the_reranker_is_one_more_model(served: Served) -> None:
    found = search(served)
    assert found["hits"][0]["link"] == TOMATOES_LINK
    assert found["hits"][0]["lanes"]["rerank"] > 0
    assert "degraded" not in found
    assert served.status()["models"]["reranker"] == "fakes"
    assert "fakes" in [model["id"] for model in served.client.get("/v1/models").json()["data"]]
    ranked = served.client.post("/v1/rerank", json={"query": "red fruit", "documents": ["a bee", "red fruit"]}).json()
    assert [result["relevance_score"] for result in ranked["results"]] == [1.0, 0.0]
    answer = served.client.post("/v1/chat/completions", json=ASKED).json()["vaultbridge"]
    assert answer["grounded"]
    assert "degraded" not in answer


@pytest.mark.parametrize("role", ["embedder", "reranker"])
def test_a_child_that_is_stopped_is_done_without_and_named(served: Served, role: str) -> None:
    """Stopped, not killed: a dead one is back before anybody could ask; this one never answers in time."""
    pid = process(served, role)
    os.kill(pid, signal.SIGSTOP)
    try:
        answer = served.client.post("/v1/chat/completions", json=ASKED).json()
    finally:
        os.kill(pid, signal.SIGKILL)
    lane, reason = {"embedder": ("dense", "not_ready"), "reranker": ("rerank", "deadline_exceeded")}[role]
    assert answer["vaultbridge"]["degraded"] == [{"lane": lane, "reason": reason}]
    assert answer["vaultbridge"]["citations"][0]["link"] == TOMATOES_LINK
    assert answer["choices"][0]["message"]["content"]
    eventually(lambda: "degraded" not in search(served), "it is not back", 30)


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[Served]:
    """A server whose embedder dies of one word and whose reranker is slow at another."""
    config = tmp_path / "vaultbridge.toml"
    config.write_text(
        '[models]\ngenerator = "healthy"\ngenerator_backend = "tests.scenarios.faulty:Healthy"\n'
        'embedder = "dying"\nembedder_backend = "tests.scenarios.faulty:DyingEmbedder"\n'
        'reranker = "slow"\nreranker_backend = "tests.scenarios.faulty:SlowReranker"\n'
    )
    with Served(tmp_path, write_vault(tmp_path / "My Vault"), "--backend", "auto", "--config", config) as served:
        served.wait_until_indexed()
        eventually(lambda: state(served, "reranker") == "ready", "the reranker is not loaded")
        yield served


def whole_again(served: Served) -> None:
    """The next question finds every lane: what had died was started anew."""
    eventually(lambda: "degraded" not in search(served), "it is not back", 30)
    assert {"keyword", "dense", "rerank"} <= set(search(served)["hits"][0]["lanes"])


def test_an_embedder_that_dies_of_a_question_is_done_without_wherever_it_was_asked(faulty: Served, run: Run) -> None:
    deadly = f"{TOMATOES} {DEADLY}"
    away = [{"lane": "dense", "reason": "worker_lost"}]
    first = process(faulty, "embedder")

    found = faulty.client.get("/vault/search", params={"q": deadly}).json()
    assert (found["degraded"], found["hits"][0]["link"]) == (away, TOMATOES_LINK)
    assert "dense" not in found["hits"][0]["lanes"]
    whole_again(faulty)
    assert first not in faulty.children()

    related = faulty.client.post("/vault/related", json={"text": deadly}).json()
    assert (related["degraded"], related["hits"][0]["link"]) == (away, TOMATOES_LINK)
    whole_again(faulty)

    asked = {"messages": [{"role": "user", "content": deadly}], "vaultbridge": {"grounding": "auto"}}
    answer = faulty.client.post("/v1/chat/completions", json=asked).json()
    assert answer["vaultbridge"]["degraded"] == away
    assert TOMATOES_LINK in [citation["link"] for citation in answer["vaultbridge"]["citations"]]
    assert "Water the tomatoes" in answer["choices"][0]["message"]["content"]
    whole_again(faulty)

    for command in ("search", "ask"):
        said = run(command, deadly, *faulty.place)
        assert said.returncode == 0, said.stderr
        assert "Without the lane dense: worker_lost" in said.stderr
        assert "Water the tomatoes" in said.stdout
        whole_again(faulty)


def test_a_reranker_that_takes_too_long_leaves_the_order_as_it_was(faulty: Served) -> None:
    """Within its budget, and it is free again for the next question."""
    slow = f"{TOMATOES} {SLOW}"
    began = time.monotonic()
    found = faulty.client.get("/vault/search", params={"q": slow}).json()
    assert time.monotonic() - began < 5
    assert found["degraded"] == [{"lane": "rerank", "reason": "deadline_exceeded"}]
    assert len(found["hits"]) > 2
    assert found["hits"][0]["link"] == TOMATOES_LINK
    assert not any("rerank" in hit["lanes"] for hit in found["hits"])
    whole_again(faulty)


@pytest.mark.parametrize("role", ["generator", "embedder"])
def test_a_model_that_cannot_be_loaded_is_done_without_and_the_status_says_why(tmp_path: Path, role: str) -> None:
    """The file begins as it should and then is nothing."""
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"GGUF" + bytes(100))
    config = tmp_path / "vaultbridge.toml"
    models = {
        "generator": "healthy",
        "generator_backend": "tests.scenarios.faulty:Healthy",
        "embedder": "dying",
        "embedder_backend": "tests.scenarios.faulty:DyingEmbedder",
    } | {role: str(damaged), f"{role}_backend": "auto"}
    config.write_text("[models]\n" + "".join(f"{name} = {value!r}\n" for name, value in models.items()))
    with Served(tmp_path, write_vault(tmp_path / "My Vault"), "--backend", "auto", "--config", config) as served:
        served.wait_for_health()
        eventually(lambda: served.client.get("/health").json()["models"], "the house is not open")
        eventually(lambda: state(served, role) == "failed", "it does not fail")
        eventually(lambda: served.status()["counts"]["notes"] == 5, "the notes are not read")
        answer = served.client.post("/v1/chat/completions", json=ASKED).json()
        lane = {"generator": "generator", "embedder": "dense"}[role]
        assert answer["vaultbridge"]["degraded"] == [{"lane": lane, "reason": "model_invalid"}]
        assert answer["vaultbridge"]["grounded"]
        said = answer["choices"][0]["message"]["content"]
        assert "Water the tomatoes every second morning in summer." in said
        assert "damaged.gguf" in served.status()["problems"][role]
        plain = served.client.post("/v1/chat/completions", json={**ASKED, "model": "x@plain"})
        assert plain.status_code == {"generator": 503, "embedder": 200}[role]


def test_a_search_without_a_server_waits_for_the_reranker(tmp_path: Path, run: Run) -> None:
    write_vault(tmp_path / "My Vault")
    place = ("--vault", tmp_path / "My Vault", "--data", tmp_path / "data", "--backend", "fakes")
    result = run("search", TOMATOES, *place, "--reranker", "auto")
    assert result.returncode == 0, result.stderr
    assert "rerank 1.00" in result.stdout or "rerank 0." in result.stdout
    assert "Without the lane" not in result.stderr
