"""``python -m vaultbridge.lab.soak``: whether a real server stays whole, whatever its clients and the system do to it.

Clients that vanish at random moments, thousands of mixed requests, deaths of the generator's process in the middle of
answers; about a quarter of an hour on two cores. Prints a line for each with its figures; exits 1 if one fails.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from statistics import median

import httpx
import typer

from vaultbridge.lab.soak_asks import endless, mixed
from vaultbridge.lab.soak_server import PATIENCE_SECONDS, Heard, Server, answered, listen, serving

MODEL = "smollm2-135m-instruct"
SLOTS = 8
CROWD = 3 * SLOTS
"""Clients at a time: two of three wait for a slot."""
STREAMS_AT_A_KILL = 3
WARM_UP = 300
"""Requests before memory is looked at: what is kept on purpose, within its bounds, is there by then."""
GROWTH = 0.05
"""How much more memory a process may have after the requests than before."""
PART_SECONDS = 1800.0
"""A part that takes longer has failed."""
_LONG_WORDS, _LONG_TOKENS = 1500, 400


@dataclass(frozen=True, slots=True)
class Part:
    """What one part found; ``faults`` say what should not have happened, and how often it did."""

    figures: str
    faults: Counter[str]


async def vanish(server: Server, clients: int, random: Random) -> Part:
    """Clients that leave at once, while a long prompt is computed, or after some text: is every slot free again?"""
    faults: Counter[str] = Counter()
    places: Counter[str] = Counter()

    async def come_and_go(client: httpx.AsyncClient, kind: str, dice: Random) -> None:
        heard, texts, seconds = Heard(), 0, PATIENCE_SECONDS
        if kind == "text":
            texts = dice.randint(1, 24)
        else:
            seconds = dice.uniform(0, 0.3) if kind == "at once" else dice.uniform(0.3, 4)
        ask = endless(dice, _LONG_TOKENS, _LONG_WORDS if kind == "prompt" else 12)
        try:
            await asyncio.wait_for(listen(client, ask, heard, texts), seconds)
        except asyncio.TimeoutError:
            if texts:
                faults["nothing was heard"] += 1
        if heard.error or heard.status not in (0, 200):
            faults[heard.fault(1)] += 1
        places["while it streamed" if heard.texts else "before the first text"] += 1

    async with server.client() as client:
        kinds = [("at once", "prompt", "text")[number % 3] for number in range(clients)]
        random.shuffle(kinds)
        await crowd((come_and_go(client, kind, Random(random.random())) for kind in kinds), CROWD)
        left = await left_behind(client)
        together = await side_by_side(client, random)
    if left:
        faults["requests are still admitted though nobody waits"] += left
    if together < SLOTS:
        faults["slots are lost"] += SLOTS - together
    where = ", ".join(f"{count} {place}" for place, count in sorted(places.items()))
    return Part(
        f"{clients} clients vanished, {where}; {left} requests left behind, {together} of {SLOTS} slots stream", faults
    )


async def steady(server: Server, requests: int, warm_up: int, random: Random, growth: float = GROWTH) -> Part:
    """Requests of every kind, some of whose clients vanish: is everyone answered, and is no memory lost?"""
    faults: Counter[str] = Counter()

    async def one(client: httpx.AsyncClient, dice: Random) -> None:
        ask = mixed(dice)
        if dice.random() < 0.1:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(listen(client, ask, Heard()), dice.uniform(0, 2))
        elif fault := (await answered(client, ask)).fault(ask.choices):
            faults[f"{ask.path}: {fault}"] += 1

    async with server.client() as client:
        await crowd((one(client, Random(random.random())) for _ in range(warm_up)), SLOTS + SLOTS // 2)
        await left_behind(client)
        before, began = server.memory(), time.monotonic()
        await crowd((one(client, Random(random.random())) for _ in range(requests)), SLOTS + SLOTS // 2)
        seconds = time.monotonic() - began
        if left := await left_behind(client):
            faults["requests are still admitted though nobody waits"] += left
    memory = grown(before, server.memory(), growth, faults)
    return Part(f"{requests} requests in {seconds:.0f} s: {memory}", faults)


async def kill(server: Server, kills: int, random: Random) -> Part:
    """The generator's process dies while it streams: does every stream end with an error, and is the next answered?"""
    faults: Counter[str] = Counter()
    waits: list[float] = []
    async with server.client() as client:
        for _ in range(kills):
            heard = [Heard() for _ in range(STREAMS_AT_A_KILL)]
            asks = [endless(random, _LONG_TOKENS) for _ in heard]
            streams = [asyncio.create_task(answered(client, *pair)) for pair in zip(asks, heard, strict=True)]
            await asyncio.gather(*(one.speaking.wait() for one in heard))
            await asyncio.sleep(random.uniform(0, 0.5))
            server.generator().kill()
            for stream in await asyncio.gather(*streams):
                if stream.error != "worker_lost":
                    faults[f"a stream ended with error {stream.error or 'none'}"] += 1
            began = time.monotonic()
            if fault := (await answered(client, endless(random, 8))).fault(1):
                faults[f"afterwards {fault}"] += 1
            waits.append(time.monotonic() - began)
        together = await side_by_side(client, random)
    if together < SLOTS:
        faults["slots are lost"] += SLOTS - together
    return Part(
        f"{kills} kills, {STREAMS_AT_A_KILL} streams at each; the next answer came after {median(waits):.1f} s in the "
        f"median, {max(waits):.1f} s at most; {together} of {SLOTS} slots stream",
        faults,
    )


def grown(before: Mapping[str, float], after: Mapping[str, float], most: float, faults: Counter[str]) -> str:
    """Megabytes before and after, in words; what has grown by more than ``most`` of itself is a fault."""
    said = []
    for name in before:
        change = after[name] / before[name] - 1
        said.append(f"{name} {before[name]:.1f} to {after[name]:.1f} MB ({change:+.1%})")
        if change > most:
            faults[f"memory has grown by more than {most:.0%}: {name}"] += 1
    return ", ".join(said)


async def side_by_side(client: httpx.AsyncClient, random: Random) -> int:
    """How many streams, of as many as there are slots, speak before the first of them ends; all of them must end."""
    streams = await asyncio.gather(*(answered(client, endless(random, 64)) for _ in range(SLOTS)))
    whole = [stream for stream in streams if not stream.fault(1)]
    earliest = min((stream.last for stream in whole), default=0.0)
    return sum(stream.first < earliest for stream in whole)


async def left_behind(client: httpx.AsyncClient) -> int:
    """Requests that the server still counts when all clients are gone and it has had time to notice."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        text = (await client.get("/metrics")).text
        found = re.search(r"^vaultbridge_admitted_requests (\S+)$", text, re.MULTILINE)
        assert found is not None, "/metrics does not say how many requests are admitted"
        left = int(float(found[1]))
        if not left or time.monotonic() > deadline:
            return left
        await asyncio.sleep(0.05)


async def crowd(work: Iterable[Awaitable[None]], at_a_time: int) -> None:
    """Do all of it, so much at a time."""
    places = asyncio.Semaphore(at_a_time)

    async def one(job: Awaitable[None]) -> None:
        async with places:
            await job

    await asyncio.gather(*map(one, work))


async def _bounded(work: Awaitable[Part]) -> Part:
    try:
        return await asyncio.wait_for(work, PART_SECONDS)
    except asyncio.TimeoutError:
        return Part(f"not done after {PART_SECONDS:.0f} s", Counter({"a part without an end": 1}))


def main(
    clients: int = typer.Option(200, help="Clients that vanish."),
    requests: int = typer.Option(2000, help="Requests over which memory must stay as it is."),
    kills: int = typer.Option(50, help="Deaths of the generator's process."),
    model: str = typer.Option(MODEL, help="As for `vaultbridge serve`."),
    seed: int = typer.Option(1, help="Of everything that is random."),
) -> None:
    """Put a real server under strain, and say what it did."""
    random = Random(seed)
    well = True
    with serving(model, SLOTS) as server:
        parts: tuple[Callable[[], Awaitable[Part]], ...] = (
            lambda: vanish(server, clients, random),
            lambda: steady(server, requests, WARM_UP, random),
            lambda: kill(server, kills, random),
        )
        for work in parts:
            part = asyncio.run(_bounded(work()))
            well &= not part.faults
            typer.echo(f"{'failed' if part.faults else 'ok'}: {part.figures}")
            for fault, count in part.faults.items():
                typer.echo(f"    {count} x {fault}")
        if errors := server.unforeseen():
            well = False
            typer.echo(f"failed: the server has logged {errors} unforeseen errors")
    raise typer.Exit(0 if well else 1)


if __name__ == "__main__":
    typer.run(main)
