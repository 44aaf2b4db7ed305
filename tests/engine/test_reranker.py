"""The reranker in its child: order, cancelling, failures, and what is said while it loads."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Sequence
from multiprocessing.connection import Connection
from typing import cast

import pytest

from tests.engine.inline import Pipe, launch_inline
from vaultbridge.backends.fakes.clock import FakeClock
from vaultbridge.backends.fakes.reranker import FakeReranker
from vaultbridge.core.errors import EmbedFailed, NotReady
from vaultbridge.engine.activity import Activity
from vaultbridge.engine.calls import Rerank
from vaultbridge.engine.child import Call, Cancel, Inbox
from vaultbridge.engine.host import Host, Rest
from vaultbridge.engine.reranker import HostedReranker
from vaultbridge.engine.worker import RerankerWorker


class WatchedReranker(FakeReranker):
    """Remembers its batches; waits at the gate; fails on the word ``poison``, once on ``bug``."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        self.batches.append(list(passages))
        self.entered.set()
        assert self.gate.wait(10)
        if "poison" in passages:
            raise EmbedFailed("The passage is poisonous.")
        if "bug" in passages:
            raise KeyError("a bug")
        return super().score(question, passages)


@pytest.fixture
def model() -> WatchedReranker:
    return WatchedReranker()


@pytest.fixture
async def reranker(model: WatchedReranker) -> AsyncIterator[HostedReranker]:
    host = Host("reranker", lambda: RerankerWorker(model), launch_inline)
    yield HostedReranker(model.name, host, Activity())
    model.gate.set()
    await host.close()


async def test_scores_come_in_the_order_of_the_passages(reranker: HostedReranker, model: WatchedReranker) -> None:
    await reranker.ready()
    passages = ["a long passage about red tomatoes", "red", *("soil" * number for number in range(1, 10)), "tomatoes"]
    assert await reranker.score("red tomatoes", passages) == [1.0, 0.5, *[0.0] * 9, 0.5]
    assert sorted(passage for batch in model.batches for passage in batch) == sorted(passages)


async def test_nothing_is_scored_without_passages(reranker: HostedReranker, model: WatchedReranker) -> None:
    await reranker.ready()
    assert await reranker.score("red", []) == []
    assert model.batches == []


async def test_while_it_loads_it_says_so_at_once_and_then_it_works(reranker: HostedReranker) -> None:
    with pytest.raises(NotReady):
        await reranker.score("red", ["red"])
    await reranker.ready()
    assert await reranker.score("red", ["red"]) == [1.0]


async def test_after_a_rest_it_is_loading_once_more(model: WatchedReranker) -> None:
    clock = FakeClock()
    host = Host("reranker", lambda: RerankerWorker(model), launch_inline, Rest(60.0, clock))
    reranker = HostedReranker(model.name, host, Activity())
    await reranker.ready()
    await clock.advance(60)
    with pytest.raises(NotReady):
        await reranker.score("red", ["red"])
    await reranker.ready()
    assert await reranker.score("red", ["red"]) == [1.0]
    await host.close()


async def test_a_failure_is_the_callers_and_the_next_call_works(reranker: HostedReranker) -> None:
    await reranker.ready()
    with pytest.raises(EmbedFailed, match="poisonous"):
        await reranker.score("red", ["poison"])
    with pytest.raises(EmbedFailed, match="a bug"):
        await reranker.score("red", ["bug"])
    assert await reranker.score("red", ["red"]) == [1.0]


async def test_what_cannot_be_broken_off_is_asked_whole(model: WatchedReranker) -> None:
    host = Host("reranker", lambda: RerankerWorker(model, whole=True), launch_inline)
    reranker = HostedReranker(model.name, host, Activity())
    await reranker.ready()
    await reranker.score("red", ["a", "b", "c"])
    await host.close()
    assert [sorted(batch) for batch in model.batches] == [["a", "b", "c"]]


def test_what_nobody_waits_for_is_broken_off(model: WatchedReranker) -> None:
    pipe = Pipe()
    inbox = Inbox(cast(Connection, pipe), on_close=lambda: None)
    worker = threading.Thread(target=RerankerWorker(model).run, args=(inbox,), daemon=True)
    worker.start()
    model.gate.clear()
    pipe.deliver(Call(1, Rerank("red", tuple(f"passage {number}" for number in range(40)))))
    assert model.entered.wait(10)
    pipe.deliver(Call(2, Rerank("red", ("red", "soil"))), Cancel(1))
    model.gate.set()
    assert pipe.wait_for(2) == [[1.0, 0.0]]
    assert [passage for batch in model.batches for passage in batch] == ["passage 0", "red", "soil"]
    assert all(reply.id == 2 for reply in pipe.replies)
    pipe.close()
    worker.join(10)
