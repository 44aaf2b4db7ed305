"""The worker's loop: who leaves, at which moment, and what is said last."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

from tests.engine.inline import Pipe
from vaultbridge.backends.fakes.decoder import FakeDecoder
from vaultbridge.core.dialogue import Continuation, Failed, Finished, GroundedPrompt, Piece, Sampling, Started
from vaultbridge.core.errors import ContextTooLong, DecodeFailed, Overloaded
from vaultbridge.core.ports import Segment
from vaultbridge.engine.calls import Forget, Generate
from vaultbridge.engine.child import Call, Cancel, Inbox
from vaultbridge.engine.engine import Engine
from vaultbridge.engine.worker import GeneratorWorker


class GatedDecoder(FakeDecoder):
    """Has one slot, and computes as many batches as it is let."""

    def __init__(self) -> None:
        super().__init__(slots=1)
        self.decoded: list[int] = []
        self._gate = threading.Condition()
        self._permits = self._waiting = 0

    def decode(self, segments: Sequence[Segment]) -> None:
        with self._gate:
            self._waiting += 1
            self._gate.notify_all()
            self._gate.wait_for(lambda: self._permits > 0)
            self._permits -= 1
            self._waiting -= 1
        for segment in segments:
            self.decoded += segment.tokens
        super().decode(segments)

    def let(self, batches: int) -> None:
        """Let so many go by; returns when the next one waits."""
        for _ in range(batches):
            with self._gate:
                self._gate.wait_for(lambda: self._waiting > 0)
                self._permits += 1
                self._gate.notify_all()
                self._gate.wait_for(lambda: not self._permits)
        with self._gate:
            self._gate.wait_for(lambda: self._waiting > 0)

    def open(self) -> None:
        """Let all of them."""
        with self._gate:
            self._permits = 1_000_000
            self._gate.notify_all()


@pytest.fixture
def decoder() -> GatedDecoder:
    return GatedDecoder()


@pytest.fixture
def pipe(decoder: GatedDecoder) -> Iterator[Pipe]:
    pipe = Pipe()
    inbox = Inbox(pipe, on_close=lambda: None)  # type: ignore[arg-type]
    thread = threading.Thread(target=GeneratorWorker(Engine(decoder)).run, args=(inbox,), daemon=True)
    thread.start()
    yield pipe
    decoder.open()
    pipe.close()
    thread.join()


def generate(id_: int, text: str, sampling: Sampling | None = None, *, warm: bool = False) -> Call:
    return Call(id_, Generate(GroundedPrompt(Continuation(text)), sampling or Sampling(), warm))


def said(bodies: Sequence[object]) -> str:
    return "".join(body.text for body in bodies if isinstance(body, Piece))


@pytest.mark.parametrize(
    ("batches", "computed"), [(0, 512), (2, 3 * 512), (8, 3000)], ids=["at once", "in prefill", "while it is answered"]
)
def test_one_who_leaves_frees_the_slot_a_step_later(
    pipe: Pipe, decoder: GatedDecoder, batches: int, computed: int
) -> None:
    pipe.deliver(generate(1, "y" * 3000))
    decoder.let(batches)
    pipe.deliver(Cancel(1), generate(2, "next"))
    decoder.open()
    assert said(pipe.wait_for(2)) == "You said: next"
    assert decoder.decoded.count(ord("y")) == computed
    assert not any(reply.id == 1 and reply.last for reply in pipe.replies), "nobody listens any more"


def test_one_who_leaves_the_queue_is_never_computed(pipe: Pipe, decoder: GatedDecoder) -> None:
    pipe.deliver(generate(1, "first"))
    decoder.let(1)
    pipe.deliver(generate(2, "y" * 100))
    decoder.let(2)
    pipe.deliver(Cancel(2), generate(3, "last"))
    decoder.open()
    assert said(pipe.wait_for(3)) == "You said: last"
    assert said(pipe.wait_for(1)) == "You said: first"
    assert ord("y") not in decoder.decoded


def test_one_who_leaves_before_anybody_looked_is_never_computed(pipe: Pipe, decoder: GatedDecoder) -> None:
    pipe.deliver(generate(1, "first"))
    decoder.let(1)
    pipe.deliver(generate(2, "y" * 100), Cancel(2))
    decoder.open()
    assert said(pipe.wait_for(1)) == "You said: first"
    pipe.deliver(generate(3, "last"))
    pipe.wait_for(3)
    assert ord("y") not in decoder.decoded


def test_the_last_reply_of_a_call_is_its_last_choices_end(pipe: Pipe, decoder: GatedDecoder) -> None:
    decoder.open()
    pipe.deliver(generate(1, "abc", Sampling(n=3)))
    bodies = pipe.wait_for(1)
    assert isinstance(bodies[0], Started)
    assert [isinstance(body, Finished) for body in bodies].count(True) == 3
    assert isinstance(bodies[-1], Finished)
    assert [reply.last for reply in pipe.replies] == [False] * (len(bodies) - 1) + [True]


def test_what_cannot_be_let_in_is_said_and_the_next_one_works(pipe: Pipe, decoder: GatedDecoder) -> None:
    decoder.open()
    pipe.deliver(generate(1, "z" * 9000), Call(2, "no request at all"), generate(3, "fine"))
    assert [type(body) for body in pipe.wait_for(1)] == [ContextTooLong]
    assert [type(body) for body in pipe.wait_for(2)] == [DecodeFailed]
    assert said(pipe.wait_for(3)) == "You said: fine"


def test_a_warm_call_hears_that_somebody_took_its_place(pipe: Pipe, decoder: GatedDecoder) -> None:
    pipe.deliver(generate(1, "a" * 2000, warm=True))
    decoder.let(1)
    pipe.deliver(generate(2, "a" * 2000, Sampling(max_tokens=1)))
    decoder.open()
    last = pipe.wait_for(1)[-1]
    assert isinstance(last, Failed)
    assert isinstance(last.error, Overloaded)
    finished = pipe.wait_for(2)[-1]
    assert isinstance(finished, Finished)
    assert finished.usage.cached_tokens > 0


def test_forgetting_is_answered_and_done_between_two_steps(pipe: Pipe, decoder: GatedDecoder) -> None:
    pipe.deliver(generate(1, "abc"))
    decoder.let(2)
    pipe.deliver(Call(2, Forget(frozenset({"a.md"}))))
    decoder.open()
    assert pipe.wait_for(2) == [None]
    assert said(pipe.wait_for(1)) == "You said: abc"
