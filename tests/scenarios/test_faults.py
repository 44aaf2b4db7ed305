"""What must not break a server with a real model: the short forms of ``make soak``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random

import pytest

from tests.live.starters import starter
from vaultbridge.lab.soak import MODEL, SLOTS, kill, steady, vanish
from vaultbridge.lab.soak_server import Server, serving

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("VAULTBRIDGE_")]:
            patch.delenv(name)
        starter(MODEL)
        with serving(MODEL, SLOTS) as server:
            yield server


async def test_clients_that_vanish_at_random_moments_leave_every_slot_free(server: Server) -> None:
    part = await vanish(server, 12, Random(1))
    assert not part.faults, part.figures
    assert not server.unforeseen()


async def test_requests_of_every_kind_are_answered_and_take_no_memory_with_them(server: Server) -> None:
    # So few requests do not fill what is kept on purpose, so that more growth is allowed than in the long run.
    part = await steady(server, 32, 12, Random(2), growth=0.25)
    assert not part.faults, part.figures
    assert not server.unforeseen()


async def test_whoever_asks_after_the_generator_was_killed_is_answered(server: Server) -> None:
    part = await kill(server, 3, Random(3))
    assert not part.faults, part.figures
    assert not server.unforeseen()
