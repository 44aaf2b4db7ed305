"""Models that take turns in memory: who is loaded, who waits, who leaves, and when."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from functools import partial
from multiprocessing import active_children
from multiprocessing.connection import Connection

import psutil
import pytest

from tests.engine.inline import launch_inline
from vaultbridge.backends.fakes.clock import FakeClock
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
    Usage,
)
from vaultbridge.core.duration import NEVER
from vaultbridge.core.errors import DeadlineExceeded, ModelInvalid, ModelMissing, NotReady
from vaultbridge.engine.activity import Activity
from vaultbridge.engine.berth import Load
from vaultbridge.engine.calls import Forget, Generate
from vaultbridge.engine.child import Build, Inbox
from vaultbridge.engine.fleet import PRESSURE_SECONDS, Fleet
from vaultbridge.engine.generator import HostedGenerator
from vaultbridge.engine.launch import Running, launch_process
from vaultbridge.engine.load import load_generator

PROMPT = GroundedPrompt(Continuation("Once upon a time"))
PATIENT = 600.0
HALF_HOUR = 1800.0
WEIGHT = 60
"""Of every model; a budget of 100 holds one, and one of 120 two."""


class Speaker:
    """Says its name. While ``quiet`` is clear it says nothing behind that; ``bodies`` is what it was sent."""

    def __init__(self, name: str) -> None:
        self.info = GeneratorInfo(name, 100, chat=True)
        self.bodies: list[Generate | Forget] = []
        self.may_end = threading.Event()
        self.may_end.set()

    def run(self, inbox: Inbox) -> None:
        for call in inbox:
            self.bodies.append(call.body)
            if isinstance(call.body, Forget):
                inbox.reply(call, None, last=True)
                continue
            inbox.reply(call, Started((), ()))
            inbox.reply(call, Piece(self.info.name))
            while not self.may_end.wait(0.001):
                if inbox.is_cancelled(call):
                    break
            else:
                inbox.reply(call, Finished("stop", Usage(1, 1)), last=True)


def refuse() -> Speaker:
    raise ModelInvalid("b.gguf is not a GGUF file.", "Fetch it again.")


class Dock:
    """A fleet of speakers whose processes are threads; ``launched`` are those that were loaded, in their order.

    ``broken`` cannot be loaded, ``lost`` not even be planned; ``ships`` can be added to and taken from.
    """

    def __init__(self, *ships: str, budget: int, keep_alive: float = NEVER, deadline: float = PATIENT) -> None:
        self.ships = list(ships)
        self.speakers = {name: Speaker(name) for name in ships}
        self.launched: list[str] = []
        self.broken: set[str] = set()
        self.lost: set[str] = set()
        self.loading = threading.Event()
        self.loading.set()
        self.clock = FakeClock()
        self.fleet = Fleet(
            self._plan,
            lambda: self.ships,
            lambda name, home: HostedGenerator(name, home, Activity(), 32, deadline),
            budget,
            keep_alive,
            self.clock,
            self._launch,
        )

    def _plan(self, name: str) -> Load:
        if name in self.lost:
            raise ModelMissing(f"The model {name} is not on this computer.", "Fetch it.")
        return Load(partial(self._build, name), WEIGHT, 100)

    def _build(self, name: str) -> Speaker:
        self.loading.wait()
        return self.speakers[name]

    def _launch(self, build: Build, pipe: Connection, name: str) -> Running:
        self.launched.append(name)
        # What ends by itself is a real process: a thread would leave its end of the pipe open.
        return launch_process(refuse, pipe, name) if name in self.broken else launch_inline(build, pipe, name)

    @property
    def loaded(self) -> list[str]:
        return [one.name for one in self.fleet.loaded()]

    def generator(self, name: str) -> HostedGenerator:
        generator = self.fleet.of(name)
        assert generator is not None
        return generator

    async def events(self, name: str, keep_alive: float | None = None) -> list[Event]:
        with self.generator(name).admit(keep_alive) as permit:
            return [event async for event in permit.stream(PROMPT, Sampling())]

    async def ask(self, name: str, keep_alive: float | None = None) -> str:
        """What is answered."""
        events = await self.events(name, keep_alive)
        assert isinstance(events[-1], Finished), events[-1]
        return "".join(event.text for event in events if isinstance(event, Piece))

    async def fails(self, name: str) -> Exception:
        """Why nothing is answered."""
        (failed,) = await self.events(name)
        assert isinstance(failed, Failed)
        return failed.error

    async def asking(self, name: str) -> asyncio.Task[str]:
        """A request whose answer has begun and does not end before the speaker may."""
        speaker = self.speakers[name]
        speaker.may_end.clear()
        before = len(speaker.bodies)
        task = asyncio.create_task(self.ask(name))
        await until(lambda: len(speaker.bodies) > before)
        return task


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what happens in other threads; the test's own time limit ends it."""
    while not condition():
        await asyncio.sleep(0.001)


async def settle() -> None:
    """Let everybody come as far as they can without another thread's help."""
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.fixture
async def dock() -> AsyncIterator[Callable[..., Dock]]:
    docks: list[Dock] = []

    def make(*ships: str, **options: float) -> Dock:
        docks.append(Dock(*ships, **{"budget": 100, **options}))  # type: ignore[arg-type]  # the budget is a number
        return docks[-1]

    yield make
    for one in docks:
        one.loading.set()
        for speaker in one.speakers.values():
            speaker.may_end.set()
        await one.fleet.close()


# --- room ---------------------------------------------------------------------------------------------------------


async def test_nothing_is_loaded_before_it_is_asked(dock: Callable[..., Dock]) -> None:
    here = dock("a", "b")
    await here.fleet.look()
    assert here.fleet.names == ("a", "b")
    assert (here.launched, here.loaded, here.fleet.state) == ([], [], "stopped")
    assert await here.ask("b") == "b"
    assert here.launched == here.loaded == ["b"]


async def test_two_that_fit_stay_both(dock: Callable[..., Dock]) -> None:
    here = dock("a", "b", budget=120)
    await here.fleet.look()
    assert [await here.ask(name) for name in "abab"] == ["a", "b", "a", "b"]
    assert here.launched == ["a", "b"]


async def test_the_one_that_nobody_used_for_the_longest_time_makes_room(dock: Callable[..., Dock]) -> None:
    here = dock("a", "b", "c", budget=120)
    await here.fleet.look()
    for name in "aba":
        await here.ask(name)
        await here.clock.advance(1)
    await here.ask("c")
    assert sorted(here.loaded) == ["a", "c"]


async def test_one_that_is_larger_than_the_budget_runs_alone(dock: Callable[..., Dock]) -> None:
    here = dock("a", "b", budget=10)
    await here.fleet.look()
    assert [await here.ask(name) for name in "ab"] == ["a", "b"]
    assert here.loaded == ["b"]


async def test_all_who_ask_first_share_one_load(dock: Callable[..., Dock]) -> None:
    here = dock("a", "b")
    await here.fleet.look()
    here.loading.clear()
    asked = [asyncio.create_task(here.ask("a")) for _ in range(20)]
    await until(lambda: here.launched == ["a"])
    here.loading.set()
    assert await asyncio.gather(*asked) == ["a"] * 20
    assert here.launched == ["a"]


async def test_a_busy_model_is_never_ended_and_the_other_waits(dock: Callable[..., Dock]) -> None:
    here = dock("a", "b")
    await here.fleet.look()
    long = await here.asking("a")
    waiting = asyncio.create_task(here.ask("b"))
    await settle()
    assert (here.launched, here.loaded) == (["a"], ["a"])
    here.speakers["a"].may_end.set()
    assert (await long, await waiting) == ("a", "b")
    assert here.loaded == ["b"]


async def test_who_waits_for_room_is_not_overtaken_for_ever(dock: Callable[..., Dock]) -> None:
    here = dock("a", "b")
    await here.fleet.look()
    long = await here.asking("a")
    waiting = asyncio.create_task(here.ask("b"))
    await settle()
    later = asyncio.create_task(here.ask("a"))
    await settle()
    assert len(here.speakers["a"].bodies) == 1, "it came later than the one who waits"
    here.speakers["a"].may_end.set()
    assert [await long, await waiting, await later] == ["a", "b", "a"]
    assert here.launched == ["a", "b", "a"]


async def test_a_model_stays_between_two_calls_of_one_request(dock: Callable[..., Dock]) -> None:
    here = dock("a", "b")
    await here.fleet.look()
    with here.generator("a").admit() as permit:
        assert (await permit.info()).name == "a"
        waiting = asyncio.create_task(here.ask("b"))
        await settle()
        async with aclosing(permit.stream(PROMPT, Sampling())) as events:
            assert [type(event) async for event in events] == [Started, Piece, Finished]
    assert await waiting == "b"
    assert here.launched == ["a", "b"]


async def test_who_leaves_while_waiting_for_room_takes_nothing_along(dock: Callable[..., Dock]) -> None:
    here = dock("a", "b")
    await here.fleet.look()
    long = await here.asking("a")
    waiting = asyncio.create_task(here.ask("b"))
    await settle()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    here.speakers["a"].may_end.set()
    assert (await long, await here.ask("a")) == ("a", "a")
    assert here.launched == ["a"]


async def test_who_waits_longer_than_the_deadline_hears_of_it(dock: Callable[..., Dock]) -> None:
    here = dock("a", "b", deadline=0.05)
    await here.fleet.look()
    await here.fleet.keep("a", None)
    with here.generator("a").admit() as permit:
        await permit.info()
        assert isinstance(await here.fails("b"), DeadlineExceeded)
    assert here.launched == ["a"]


# --- how long they stay -------------------------------------------------------------------------------------------


async def test_an_idle_model_leaves_when_its_time_is_over(dock: Callable[..., Dock]) -> None:
    here = dock("a", keep_alive=HALF_HOUR)
    await here.fleet.look()
    await here.ask("a")
    await here.clock.advance(HALF_HOUR - 1)
    await here.ask("a")
    await here.clock.advance(HALF_HOUR - 1)
    assert here.loaded == ["a"], "asked meanwhile"
    (one,) = here.fleet.loaded()
    assert one.expires == here.clock.now() + 1
    await here.clock.advance(1)
    await until(lambda: here.loaded == [])
    assert await here.ask("a") == "a"


async def test_a_busy_model_does_not_leave_however_long_it_takes(dock: Callable[..., Dock]) -> None:
    here = dock("a", keep_alive=HALF_HOUR)
    await here.fleet.look()
    await here.ask("a")
    long = await here.asking("a")
    await here.clock.advance(10 * HALF_HOUR)
    assert here.loaded == ["a"]
    here.speakers["a"].may_end.set()
    assert await long == "a"


@pytest.mark.parametrize(("keep_alive", "stays"), [(0.0, 0.0), (60.0, 60.0), (NEVER, NEVER)])
async def test_a_request_says_how_long_its_model_stays(
    dock: Callable[..., Dock], keep_alive: float, stays: float
) -> None:
    here = dock("a", keep_alive=HALF_HOUR)
    await here.fleet.look()
    await here.ask("a", keep_alive)
    if stays:
        await here.ask("a")  # which says nothing, and changes nothing
        await here.clock.advance(min(stays, 1e9) - 1)
        assert here.loaded == ["a"]
        (one,) = here.fleet.loaded()
        assert one.expires == (None if stays == NEVER else here.clock.now() + 1)
        await here.clock.advance(1)
    if stays < NEVER:
        await until(lambda: here.loaded == [])
        await here.ask("a")  # loaded anew, it stays as long as the settings say
        await here.clock.advance(HALF_HOUR - 1)
    assert here.loaded == ["a"]


async def test_loading_and_ending_without_a_question(dock: Callable[..., Dock]) -> None:
    here = dock("a", "b", budget=120)
    await here.fleet.look()
    assert await here.fleet.keep("a", None) == "load"
    assert here.loaded == ["a"]
    long = await here.asking("a")
    assert await here.fleet.keep("a", 0.0) == "unload"
    assert here.loaded == ["a"], "somebody uses it"
    here.speakers["a"].may_end.set()
    assert await long == "a"
    await until(lambda: here.loaded == [])
    assert await here.fleet.keep("b", 0.0) == "unload"
    assert here.launched == ["a"], "nothing is loaded to be ended"


async def test_idle_models_leave_one_by_one_while_memory_is_short(dock: Callable[..., Dock]) -> None:
    here = dock("a", "b", "c", budget=1000)
    await here.fleet.look()
    short = False
    watching = asyncio.create_task(here.fleet.watch(lambda: short))
    long = await here.asking("a")
    for name in "bc":
        await here.ask(name)
        await here.clock.advance(1)

    async def look() -> list[str]:
        await here.clock.asleep(0)
        await here.clock.advance(PRESSURE_SECONDS)
        await here.clock.asleep(0)  # until it has looked, and what it ended is gone
        return sorted(here.loaded)

    assert await look() == ["a", "b", "c"]
    short = True
    assert [await look() for _ in range(3)] == [["a", "c"], ["a"], ["a"]], "the busy one stays"
    here.speakers["a"].may_end.set()
    assert await long == "a"
    watching.cancel()


# --- what goes wrong ----------------------------------------------------------------------------------------------


async def test_one_that_cannot_be_loaded_is_one_error_and_the_others_go_on(dock: Callable[..., Dock]) -> None:
    here = dock("a", "b")
    await here.fleet.look()
    here.broken.add("b")
    for _ in range(2):
        error = await here.fails("b")
        assert isinstance(error, ModelInvalid)
        assert "b.gguf" in error.message
    assert here.launched == ["b"], "what cannot be loaded is not tried for ever"
    assert await here.ask("a") == "a"
    here.broken.clear()
    await here.fleet.look()  # as after a pull
    assert await here.ask("b") == "b"


async def test_one_whose_file_is_gone_is_one_error_and_the_others_go_on(dock: Callable[..., Dock]) -> None:
    here = dock("a", "b")
    await here.fleet.look()
    here.lost.add("b")
    assert isinstance(await here.fails("b"), ModelMissing)
    assert await here.ask("a") == "a"
    here.lost.clear()
    assert await here.ask("b") == "b"


async def test_a_closed_fleet_loads_nothing(dock: Callable[..., Dock]) -> None:
    here = dock("a", "b")
    await here.fleet.look()
    await here.ask("a")
    long = await here.asking("a")
    waiting = asyncio.create_task(here.fails("b"))
    await settle()
    await here.fleet.close()
    assert isinstance(await waiting, NotReady)
    assert isinstance(await here.fails("b"), NotReady)
    assert here.launched == ["a"]
    long.cancel()


# --- which ones ---------------------------------------------------------------------------------------------------


async def test_an_unknown_name_is_the_usual_model_and_another_can_be_chosen(dock: Callable[..., Dock]) -> None:
    here = dock("a", "b", "c", budget=1000)
    await here.fleet.look()
    assert [await here.ask(name) for name in ("", "gpt-3.5-turbo", "b")] == ["a", "a", "b"]
    here.fleet.choose("chat", "b")
    assert (here.fleet.default("chat"), here.fleet.default("completion")) == ("b", "b")
    here.fleet.choose("completion", "c")
    assert (here.fleet.default("chat"), here.fleet.default("completion")) == ("b", "c")
    assert await here.ask("gpt-3.5-turbo") == "b"
    here.ships.remove("b")
    await here.fleet.look()
    assert here.fleet.default("chat") == "a", "what is gone cannot be chosen"
    here.fleet.choose("chat", "")
    assert here.fleet.default("chat") == "a"


async def test_a_model_that_arrives_can_be_asked_and_the_usual_one_stays(dock: Callable[..., Dock]) -> None:
    here = dock()
    await here.fleet.look()
    assert (here.fleet.default(), here.fleet.of("a"), here.fleet.names) == ("", None, ())
    for name in "ab":
        here.ships.insert(0, name)
        here.speakers[name] = Speaker(name)
        await here.fleet.look()
        assert await here.ask(name) == name
    assert here.fleet.default() == "a"


async def test_every_loaded_model_is_told_what_to_forget(dock: Callable[..., Dock]) -> None:
    here = dock("a", "b", "c", budget=120)
    await here.fleet.look()
    for name in "ab":
        await here.ask(name)
    here.fleet.forget(["Diary.md"])
    for name in "ab":
        await here.ask(name)  # behind it in the same pipe
        assert here.speakers[name].bodies[1] == Forget(frozenset({"Diary.md"}))
    assert here.launched == ["a", "b"], "one that is not loaded has nothing"


# --- real processes -----------------------------------------------------------------------------------------------


def model_processes() -> set[int]:
    """Their ids, known from the moment of the fork on."""
    return {child.pid for child in active_children() if child.pid is not None}


async def test_two_models_take_turns_in_a_budget_for_one() -> None:
    launched: list[tuple[str, int]] = []

    def launch(build: Build, pipe: Connection, name: str) -> Running:
        before = model_processes()
        child = launch_process(build, pipe, name)
        (pid,) = model_processes() - before
        launched.append((name, pid))
        return child

    loads: Mapping[str, Load] = {
        name: Load(partial(load_generator, "vaultbridge.backends.fakes.decoder:FakeDecoder", (), {"name": name}), 60)
        for name in ("a", "b")
    }
    fleet = Fleet(
        loads.__getitem__,
        lambda: list(loads),
        lambda name, home: HostedGenerator(name, home, Activity(), 32, PATIENT),
        100,
        NEVER,
        FakeClock(),
        launch,
    )
    await fleet.look()

    async def ask(name: str, text: str) -> str:
        generator = fleet.of(name)
        assert generator is not None
        with generator.admit() as permit:
            assert (await permit.info()).name == name
            events = [event async for event in permit.stream(GroundedPrompt(Continuation(text)), Sampling())]
        assert isinstance(events[-1], Finished), events[-1]
        return "".join(event.text for event in events if isinstance(event, Piece))

    try:
        for turn, name in enumerate("aabba"):
            assert await ask(name, f"turn {turn}") == f"You said: turn {turn}"
            alive = [pid for _, pid in launched if psutil.pid_exists(pid)]
            assert alive == [launched[-1][1]], "the memory of the other one is returned"
        assert [name for name, _ in launched] == ["a", "b", "a"]
        crowd = await asyncio.gather(*(ask("ab"[n % 2], f"all {n}") for n in range(12)))
        assert crowd == [f"You said: all {n}" for n in range(12)]
    finally:
        await fleet.close()
    assert [pid for _, pid in launched if psutil.pid_exists(pid)] == []
