"""What the parent's side promises of warming, forgetting, deadlines and figures, whatever the child computes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from tests.engine.inline import launch_inline
from vaultbridge.core.dialogue import (
    Continuation,
    Event,
    Failed,
    Finished,
    GeneratorInfo,
    GroundedPrompt,
    Piece,
    Sampling,
    Started,
    Timings,
    Usage,
)
from vaultbridge.core.errors import ContextTooLong, DeadlineExceeded, Overloaded
from vaultbridge.engine.activity import Activity
from vaultbridge.engine.calls import Forget, Generate
from vaultbridge.engine.child import Call, Inbox
from vaultbridge.engine.generator import HostedGenerator
from vaultbridge.engine.host import Host

USAGE, TIMINGS = Usage(7, 3, 5), Timings(1.0, 2.0, 3.0)
PROMPT = GroundedPrompt(Continuation("Once upon a time"))
PATIENT = 600.0


class ScriptedWorker:
    """Answers at once; a warm call ends when ``go`` is set, or with ``failure``. ``bodies`` is what it was sent."""

    info = GeneratorInfo("scripted", 100, chat=True)

    def __init__(self) -> None:
        self.bodies: list[Generate | Forget] = []
        self.cancelled: list[Generate] = []
        self.go = threading.Event()
        self.failure: Exception | None = None

    def run(self, inbox: Inbox) -> None:
        for call in inbox:
            self.bodies.append(call.body)
            if isinstance(call.body, Forget):
                inbox.reply(call, None, last=True)
            elif not call.body.warm or self._may_end(call, inbox):
                self._answer(call, inbox)

    def _may_end(self, call: Call, inbox: Inbox) -> bool:
        inbox.reply(call, Started((), ()))
        while not self.go.wait(0.002):
            if inbox.is_cancelled(call):
                self.cancelled.append(call.body)
                return False
        return True

    def _answer(self, call: Call, inbox: Inbox) -> None:
        if self.failure is not None:
            inbox.reply(call, Failed(self.failure), last=True)
            return
        choices = call.body.sampling.n
        for choice in range(choices):
            inbox.reply(call, Piece("Yes.", choice))
            inbox.reply(call, Finished("stop", USAGE, TIMINGS, choice), last=choice == choices - 1)


@pytest.fixture
def worker() -> ScriptedWorker:
    return ScriptedWorker()


@pytest.fixture
def observed() -> list[tuple[Usage, Timings]]:
    return []


@pytest.fixture
async def host(worker: ScriptedWorker) -> AsyncIterator[Host]:
    host = Host("generator", lambda: worker, launch_inline)
    yield host
    await host.close()


@pytest.fixture
def generator(host: Host, observed: list[tuple[Usage, Timings]]) -> HostedGenerator:
    return HostedGenerator("fake", host, Activity(), 2, PATIENT, lambda *figures: observed.append(figures))


async def answer(generator: HostedGenerator, sampling: Sampling | None = None) -> list[Event]:
    with generator.admit():
        return [event async for event in generator.stream(PROMPT, sampling or Sampling())]


async def warming(generator: HostedGenerator, worker: ScriptedWorker) -> asyncio.Task[Usage | None]:
    """A warm call that the child works on."""
    before = len(worker.bodies)
    task = asyncio.create_task(generator.warm(PROMPT))
    while len(worker.bodies) == before:
        await asyncio.sleep(0.001)
    return task


async def cancelled(worker: ScriptedWorker, calls: int) -> None:
    """Wait until the child knows that so many warm calls are over."""
    while len(worker.cancelled) < calls:
        await asyncio.sleep(0.001)


# --- warm -------------------------------------------------------------------------------------------------------------


async def test_a_warm_call_says_what_it_computed(generator: HostedGenerator, worker: ScriptedWorker) -> None:
    worker.go.set()
    assert await generator.warm(PROMPT) == USAGE
    (body,) = worker.bodies
    assert isinstance(body, Generate)
    assert (body.prompt, body.warm) == (PROMPT, True)


async def test_a_newer_call_takes_the_place_of_an_older_one(generator: HostedGenerator, worker: ScriptedWorker) -> None:
    older = await warming(generator, worker)
    newer = asyncio.create_task(generator.warm(PROMPT))
    assert await older is None
    await cancelled(worker, 1)
    worker.go.set()
    assert await newer == USAGE


async def test_a_real_request_cuts_it_short(generator: HostedGenerator, worker: ScriptedWorker) -> None:
    warm = await warming(generator, worker)
    with generator.admit():
        assert await warm is None
        await cancelled(worker, 1)
        assert [type(event) async for event in generator.stream(PROMPT, Sampling())] == [Piece, Finished]


async def test_while_a_real_request_is_admitted_nothing_is_warmed(
    generator: HostedGenerator, worker: ScriptedWorker
) -> None:
    with generator.admit():
        assert await generator.warm(PROMPT) is None
    assert worker.bodies == []
    worker.go.set()
    assert await generator.warm(PROMPT) == USAGE


async def test_warm_calls_take_no_place_in_the_queue(generator: HostedGenerator, worker: ScriptedWorker) -> None:
    await warming(generator, worker)
    with generator.admit(), generator.admit(), pytest.raises(Overloaded), generator.admit():
        pass


async def test_whoever_leaves_ends_it(generator: HostedGenerator, worker: ScriptedWorker) -> None:
    warm = await warming(generator, worker)
    warm.cancel()
    with pytest.raises(asyncio.CancelledError):
        await warm
    await cancelled(worker, 1)


async def test_a_child_that_is_busy_with_somebody_warms_nothing(
    generator: HostedGenerator, worker: ScriptedWorker
) -> None:
    worker.go.set()
    worker.failure = Overloaded("Somebody waits for an answer.")
    assert await generator.warm(PROMPT) is None


async def test_other_failures_are_its_own(generator: HostedGenerator, worker: ScriptedWorker) -> None:
    worker.go.set()
    worker.failure = ContextTooLong("Too long.")
    with pytest.raises(ContextTooLong):
        await generator.warm(PROMPT)


# --- forget -----------------------------------------------------------------------------------------------------------


async def test_the_child_is_told_what_to_forget(generator: HostedGenerator, worker: ScriptedWorker) -> None:
    await answer(generator)
    generator.forget(["Bees.md", "Ants.md"])
    await answer(generator)  # behind it in the same pipe
    assert worker.bodies[1] == Forget(frozenset({"Bees.md", "Ants.md"}))


async def test_no_child_is_started_to_forget(generator: HostedGenerator, host: Host, worker: ScriptedWorker) -> None:
    generator.forget(["Bees.md"])
    assert host.state == "stopped"
    await answer(generator)
    assert [type(body) for body in worker.bodies] == [Generate]


# --- deadlines and figures --------------------------------------------------------------------------------------------


async def test_the_deadline_reaches_the_child(generator: HostedGenerator, worker: ScriptedWorker) -> None:
    await answer(generator)
    (body,) = worker.bodies
    assert isinstance(body, Generate)
    assert body.deadline is not None
    assert 0 < body.deadline <= PATIENT
    assert not body.warm


async def test_a_model_that_is_not_loaded_in_time_fails_the_request(worker: ScriptedWorker) -> None:
    loaded = threading.Event()

    def load() -> ScriptedWorker:
        loaded.wait()
        return worker

    host = Host("generator", load, launch_inline)
    generator = HostedGenerator("fake", host, Activity(), 2, deadline=0.05)
    (failed,) = await answer(generator)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, DeadlineExceeded)
    loaded.set()
    await host.ready()
    patient = HostedGenerator("fake", host, Activity(), 2, PATIENT)
    assert [type(event) for event in await answer(patient)] == [Piece, Finished]
    await host.close()


async def test_every_finished_choice_is_observed_and_nothing_else(
    generator: HostedGenerator, worker: ScriptedWorker, observed: list[tuple[Usage, Timings]]
) -> None:
    worker.go.set()
    await generator.warm(PROMPT)
    assert observed == []
    await answer(generator)
    assert observed == [(USAGE, TIMINGS)]
    await answer(generator, Sampling(n=2))
    assert observed == [(USAGE, TIMINGS)] * 3
    worker.failure = ContextTooLong("Too long.")
    await answer(generator)
    assert len(observed) == 3
