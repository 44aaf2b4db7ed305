"""Real child processes: they die, are killed, and end with their parent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from vaultbridge.backends.fakes.clock import FakeClock
from vaultbridge.core.duration import NEVER
from vaultbridge.core.errors import ModelInvalid, NotReady, WorkerLost
from vaultbridge.engine.child import Inbox
from vaultbridge.engine.host import PATIENT_DEATHS, Host, Rest


class Echo:
    """Answers with what it is told; ``die`` and ``count:N`` are obeyed."""

    info = "echo"

    def run(self, inbox: Inbox) -> None:
        """Serve."""
        for call in inbox:
            if call.body == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if call.body == "forever":
                while not inbox.is_cancelled(call):
                    inbox.reply(call, os.getpid())
                    time.sleep(0.001)
                continue
            inbox.reply(call, (call.body, os.getpid()), last=True)


def refuse() -> Echo:
    raise ModelInvalid("broken.gguf is not a GGUF file.", "Fetch it again.")


def die_at_load() -> Echo:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("dead by now")


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    host = Host("echo", Echo)
    yield host
    await host.close()


async def reply(host: Host, body: str) -> tuple[str, int]:
    async for answer in host.call(body):
        assert isinstance(answer, tuple)
        return answer
    raise AssertionError("no reply")


async def test_work_is_done_in_another_process(host: Host) -> None:
    body, pid = await reply(host, "hello")
    assert body == "hello"
    assert pid != os.getpid()
    assert host.state == "ready"


async def test_a_killed_child_fails_its_calls_and_the_next_one_works(host: Host) -> None:
    _, first = await reply(host, "a")
    with pytest.raises(WorkerLost, match="SIGKILL"):
        await reply(host, "die")
    _, second = await reply(host, "b")
    assert second != first


async def test_calls_that_wait_for_a_dead_child_all_hear_of_it(host: Host) -> None:
    await host.ready()
    results = await asyncio.gather(*(reply(host, "die") for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [WorkerLost] * 3


async def test_closing_a_stream_cancels_it_in_the_child(host: Host) -> None:
    stream = host.call("forever")
    async for pid in stream:
        assert pid != os.getpid()
        break
    await stream.aclose()
    assert (await reply(host, "after"))[0] == "after"


async def test_a_model_that_cannot_be_loaded_says_why_and_is_not_tried_for_ever() -> None:
    host = Host("bad", refuse)
    for _ in range(2):
        with pytest.raises(ModelInvalid, match=r"broken\.gguf"):
            await host.ready()
    assert host.state == "failed"
    assert "broken.gguf" in host.reason
    await host.close()


async def test_a_model_that_dies_again_and_again_is_refused_until_the_backoff_is_over() -> None:
    host = Host("crashing", die_at_load)
    with pytest.raises(NotReady, match="keeps failing"):
        await host.ready()
    assert host.state == "restarting"
    assert "SIGKILL" in host.reason
    await host.close()


async def test_a_child_that_answers_between_its_deaths_is_started_again_without_a_growing_wait(host: Host) -> None:
    for round_ in range(2 * PATIENT_DEATHS + 1):  # more than are forgiven in a row
        assert (await reply(host, f"question {round_}"))[0] == f"question {round_}"
        with pytest.raises(WorkerLost):
            await reply(host, "die")


async def test_a_closed_host_takes_no_calls_and_stays_closed(host: Host) -> None:
    await reply(host, "a")
    await host.close()
    with pytest.raises(NotReady, match="shutting down"):
        await reply(host, "b")
    host.start()
    assert host.state == "stopped"


# --- rest ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def resting(clock: FakeClock) -> AsyncIterator[Host]:
    host = Host("echo", Echo, rest=Rest(100.0, clock))
    yield host
    await host.close()


async def test_a_child_that_nobody_calls_ends_and_the_next_call_starts_another(resting: Host, clock: FakeClock) -> None:
    _, first = await reply(resting, "a")
    await clock.advance(99)
    _, again = await reply(resting, "b")
    await clock.advance(99)
    assert (again, resting.state, resting.expires) == (first, "ready", clock.now() + 1), "called meanwhile"
    await clock.advance(1)
    assert resting.state == "stopped"
    while _runs(first):
        await asyncio.sleep(0.001)
    assert (await resting.info(), resting.state) == ("echo", "stopped"), "what it is is known"
    body, second = await reply(resting, "c")
    assert body == "c"
    assert second != first


async def test_a_child_that_works_does_not_rest(resting: Host, clock: FakeClock) -> None:
    stream = resting.call("forever")
    async for _ in stream:
        break
    await clock.advance(1000)
    assert (resting.state, resting.expires) == ("ready", clock.now() + 100)
    await stream.aclose()
    await clock.advance(100)
    assert resting.state == "stopped"


async def test_a_child_that_was_loaded_and_never_called_rests_too(resting: Host, clock: FakeClock) -> None:
    await resting.ready()
    await clock.advance(100)
    assert resting.state == "stopped"


async def test_a_child_stays_for_ever_unless_it_is_told_otherwise(clock: FakeClock) -> None:
    host = Host("echo", Echo, rest=Rest(NEVER, clock))
    await reply(host, "a")
    await clock.advance(1e12)
    assert (host.state, host.expires) == ("ready", None)
    await host.close()
    with pytest.raises(NotReady, match="shutting down"):
        await host.info()


# --- the end of the parent ----------------------------------------------------------------------------------------


def test_a_child_ends_when_its_parent_is_killed() -> None:
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent("""
                import asyncio
                from tests.engine.test_host import Echo
                from vaultbridge.engine.host import Host

                async def main():
                    host = Host("echo", Echo)
                    async for pid in host.call("forever"):
                        print(pid, flush=True)
                        break
                    await asyncio.Event().wait()

                if __name__ == "__main__":
                    asyncio.run(main())
            """),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while _runs(child):
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
