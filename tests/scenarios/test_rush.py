"""The short form of ``make load``: a crowd at a server with the fake models."""

from __future__ import annotations

from random import Random

from vaultbridge.lab.rush import CLIENTS, rush
from vaultbridge.lab.soak import SLOTS
from vaultbridge.lab.soak_server import FAKES, serving


async def test_good_requests_are_answered_bad_ones_told_why_and_no_memory_is_lost() -> None:
    with serving(FAKES, SLOTS) as server:
        # So few requests do not fill what is kept on purpose, so that more growth is allowed than in the long run.
        part = await rush(server, CLIENTS, 150, Random(1), warm_up=100, growth=0.1)
        assert not part.faults, part.figures
        assert not server.unforeseen()
