"""BGE-M3 and its reranker as a user names them: folders of the real architectures, in the children of a real server."""

from __future__ import annotations

import warnings
from pathlib import Path

import httpx

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from tests.contracts.tiny_m3 import make_tiny_m3, make_tiny_reranker

from tests.scenarios.serving import Served, eventually
from tests.server.building import TOMATOES, write_vault

LOADING_SECONDS = 120
"""Two processes import torch at once."""


def test_every_head_and_the_reranker_take_part_in_a_search(tmp_path: Path) -> None:
    embedder, reranker = make_tiny_m3(tmp_path / "bge-m3"), make_tiny_reranker(tmp_path / "reranker")
    config = tmp_path / "vaultbridge.toml"
    config.write_text("[retrieval]\nmulti = true\nrerank_seconds = 20\n")
    chosen = "--backend", "auto", "--model", "none", "--embedder", embedder, "--reranker", reranker
    with Served(tmp_path, write_vault(tmp_path / "My Vault"), *chosen, "--config", config) as served:
        served.wait_for_health()
        eventually(served.is_indexed, f"not indexed: {served.log.read_text()}", LOADING_SECONDS)
        eventually(lambda: is_ready(served.client), "the reranker is not loaded", LOADING_SECONDS)
        found = served.client.get("/vault/search", params={"q": TOMATOES}).json()
        assert "degraded" not in found
        assert {"keyword", "dense", "sparse", "multi", "rerank"} <= set(found["hits"][0]["lanes"])
        alone = served.client.get("/vault/search", params={"q": TOMATOES, "mode": "sparse"}).json()
        assert {lane for hit in alone["hits"] for lane in hit["lanes"]} == {"sparse"}
        assert served.status()["models"] == {"generator": "passages", "embedder": "bge-m3", "reranker": "reranker"}


def is_ready(client: httpx.Client) -> bool:
    return bool(client.get("/health").json()["models"]["reranker"]["state"] == "ready")
