"""Models that do what broken ones do, for the children of a real server: named ``tests.scenarios.faulty:Class``."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vaultbridge.backends.fakes.decoder import FakeDecoder
from vaultbridge.backends.fakes.embedder import FakeEmbedder
from vaultbridge.backends.fakes.reranker import FakeReranker
from vaultbridge.core.search import Embedding, Lane

DEADLY = "deadly"
SLOW = "slowly"
SLOW_SECONDS = 0.8
"""A passage: two are scored within the budget, three are not."""


class Healthy(FakeDecoder):
    """The fake chat model under the options of a real one."""

    def __init__(self, path: Path, *, name: str, context: int, slots: int, cache: int, batch: int, **_: Any) -> None:
        super().__init__(name, context, slots=slots, cache=cache, batch=batch)


class DyingEmbedder(FakeEmbedder):
    """Its process is killed by a question that holds the word."""

    def __init__(self, path: Path, *, name: str) -> None: ...

    def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        if lane == "query" and any(DEADLY in text for text in texts):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed(texts, lane)


class SlowReranker(FakeReranker):
    """Takes its time over each passage if the question holds the word."""

    def __init__(self, path: Path, *, name: str) -> None: ...

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        if SLOW in question:
            time.sleep(SLOW_SECONDS * len(passages))
        return super().score(question, passages)
