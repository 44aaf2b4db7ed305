"""What is away is told, and the answer still comes: real processes, with the fake models."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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
    return spawned[["embedder", "generator", "reranker"].index(name)]


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


def test_a_search_without_a_server_waits_for_the_reranker(tmp_path: Path, run: Run) -> None:
    write_vault(tmp_path / "My Vault")
    place = ("--vault", tmp_path / "My Vault", "--data", tmp_path / "data", "--backend", "fakes")
    result = run("search", TOMATOES, *place, "--reranker", "auto")
    assert result.returncode == 0, result.stderr
    assert "rerank 1.00" in result.stdout or "rerank 0." in result.stdout
    assert "Without the lane" not in result.stderr
