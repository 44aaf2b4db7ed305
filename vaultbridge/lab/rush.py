"""``python -m vaultbridge.lab.rush``: many clients at once, a fifth of them with bad manners.

Some leave while they wait or while they are answered, some send what makes no sense or is far too long. Every good
request must be answered, if need be after it was told when to come again; every bad one must be told what is wrong
with it; and no memory may be lost. Prints the figures; exits 1 if something is wrong.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from random import Random
from statistics import median, quantiles
from typing import Any

import httpx
import typer

from vaultbridge.lab.soak import GROWTH, MODEL, SLOTS, Part, crowd, grown, left_behind
from vaultbridge.lab.soak_asks import Ask, endless, mixed
from vaultbridge.lab.soak_server import PATIENCE_SECONDS, Heard, Server, answered, listen, serving

CLIENTS = 64
REQUESTS = 500
BAD = 0.2
WARM_UP = 200
"""Requests before memory is looked at: what is kept on purpose, within its bounds, is there by then."""
_TOO_LONG_WORDS = 12_000
_BUSY = (429, 503)
_SAID: Mapping[str, Any] = {"model": "x@plain", "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 8}
_MALFORMED: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("messages", {"messages": []}),
    ("messages", {"messages": "Hello."}),
    ("messages.0.role", {"messages": [{"role": "wizard", "content": "Hello."}]}),
    ("messages.0.content", {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}),
    ("temperature", {"temperature": "hot"}),
    ("n", {"n": 99}),
    ("logit_bias", {"logit_bias": {"bread": 1}}),
    ("response_format", {"response_format": {"type": "poem"}}),
    ("tool_choice", {"tool_choice": "required"}),
    ("vaultbridge.k", {"vaultbridge": {"k": 0}}),
)
"""What makes no sense, with the field that the answer has to name."""


async def rush(
    server: Server, clients: int, requests: int, random: Random, *, warm_up: int = WARM_UP, growth: float = GROWTH
) -> Part:
    """So many ``clients`` at a time: is every good request answered, is every bad one told why, is no memory lost?"""
    async with server.client() as client:
        await _Rush(client, Random(random.random())).run(clients, warm_up)
        await left_behind(client)
        before, began = server.memory(), time.monotonic()
        crush = _Rush(client, random)
        await crush.run(clients, requests)
        seconds = time.monotonic() - began
        if left := await left_behind(client):
            crush.faults["requests are still admitted though nobody waits"] += left
    memory = grown(before, server.memory(), growth, crush.faults)
    return Part(
        f"{requests} requests of {clients} clients in {seconds:.0f} s: {crush.figures()}; {memory}", crush.faults
    )


class _Rush:
    """One crowd of clients, and what became of them."""

    def __init__(self, client: httpx.AsyncClient, random: Random) -> None:
        self._client = client
        self._random = random
        self._counts: Counter[str] = Counter()
        self._seconds: list[float] = []
        self.faults: Counter[str] = Counter()

    async def run(self, clients: int, requests: int) -> None:
        """All requests, each by a client of its own."""
        bad = round(requests * BAD)
        manners = (self._leaves_early, self._leaves_amid, self._makes_no_sense, self._is_too_long)
        kinds: list[Callable[[Random], Any]] = [self._is_good] * (requests - bad)
        kinds += [manners[number % len(manners)] for number in range(bad)]
        self._random.shuffle(kinds)
        await crowd((kind(Random(self._random.random())) for kind in kinds), clients)

    def figures(self) -> str:
        """What became of them, in words."""
        told = ", ".join(f"{count} {what}" for what, count in sorted(self._counts.items()))
        most = quantiles(self._seconds, n=20)[-1] if len(self._seconds) > 1 else 0.0
        return f"{told}; a good one took {median(self._seconds):.1f} s in the median, 95 of 100 up to {most:.1f} s"

    async def _is_good(self, dice: Random) -> None:
        ask, began = mixed(dice), time.monotonic()
        heard = await self._patient(ask, dice)
        self._seconds.append(time.monotonic() - began)
        if fault := heard.fault(ask.choices):
            self.faults[f"{ask.path}: {fault}"] += 1
        else:
            self._counts["answered"] += 1

    async def _leaves_early(self, dice: Random) -> None:
        heard = Heard()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(listen(self._client, endless(dice, 400, 200), heard), dice.uniform(0, 1))
        self._counts["left while they waited" if not heard.texts else "left amid the answer"] += 1

    async def _leaves_amid(self, dice: Random) -> None:
        heard = await self._patient(endless(dice, 400), dice, most_texts=dice.randint(1, 24))
        if not heard.texts:
            self.faults[heard.fault(1)] += 1
        self._counts["left amid the answer"] += 1

    async def _makes_no_sense(self, dice: Random) -> None:
        param, wrong = dice.choice(_MALFORMED)
        body = {**_SAID, **wrong, "stream": dice.random() < 0.5}
        heard = await self._patient(Ask("/v1/chat/completions", body), dice)
        self._refused(heard, "told what makes no sense", "invalid_request", param)

    async def _is_too_long(self, dice: Random) -> None:
        heard = await self._patient(endless(dice, 8, _TOO_LONG_WORDS), dice)
        self._refused(heard, "told that they are too long", "context_length_exceeded", "messages")

    def _refused(self, heard: Heard, what: str, code: str, param: str) -> None:
        if (heard.status, heard.error) == (400, code) and heard.param.startswith(param) and heard.reason:
            self._counts[what] += 1
        else:
            self.faults[f"{what}? status {heard.status}, {heard.error or 'no error'}, param {heard.param!r}"] += 1

    async def _patient(self, ask: Ask, dice: Random, most_texts: int = 0) -> Heard:
        """What a client hears that comes again when it is told to, for as long as anybody waits."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            heard = Heard()
            if most_texts:
                await listen(self._client, ask, heard, most_texts)
            else:
                await answered(self._client, ask, heard)
            if heard.status not in _BUSY or time.monotonic() > deadline:
                return heard
            self._counts["times told to come again"] += 1
            if not heard.retry_after:
                self.faults["told to come again, but not when"] += 1
            await asyncio.sleep(heard.retry_after * dice.uniform(0.5, 1.5))


def main(
    clients: int = typer.Option(CLIENTS, help="Clients at a time."),
    requests: int = typer.Option(REQUESTS, help="Requests of all of them."),
    model: str = typer.Option(MODEL, help="As for `vaultbridge serve`; `fakes`: no model at all."),
    seed: int = typer.Option(1, help="Of everything that is random."),
) -> None:
    """Let a crowd rush a real server, and say what became of it."""
    with serving(model, SLOTS) as server:
        part = asyncio.run(rush(server, clients, requests, Random(seed)))
        if errors := server.unforeseen():
            part.faults["unforeseen errors in the server's log"] += errors
    typer.echo(f"{'failed' if part.faults else 'ok'}: {part.figures}")
    for fault, count in part.faults.items():
        typer.echo(f"    {count} x {fault}")
    raise typer.Exit(1 if part.faults else 0)


if __name__ == "__main__":
    typer.run(main)
