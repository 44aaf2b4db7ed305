"""Speeds are measured on a cache that holds what it is said to hold; the strict fake refuses anything else."""

from __future__ import annotations

import pytest

from vaultbridge.backends.fakes.decoder import FakeDecoder
from vaultbridge.core.errors import ContextTooLong
from vaultbridge.lab.decode_speed import BareLoop, answer_speed


class Forgetful(FakeDecoder):
    """A model that cannot go back, as those with a recurrent state: it begins anew."""

    @property
    def rewinds(self) -> bool:
        return False

    def truncate(self, slot: int, position: int) -> bool:
        super().truncate(slot, 0)
        return position == 0


@pytest.mark.parametrize("kind", [FakeDecoder, Forgetful])
def test_each_place_is_reached_from_every_other(kind: type[FakeDecoder]) -> None:
    decoder = kind(context=2048, slots=4, cache=8192, batch=128)
    loop = BareLoop(decoder, seconds=0.001)
    for batch, depth in ((1, 0), (1, 300), (4, 300), (2, 100), (4, 700), (1, 0)):
        assert loop.speed(batch, depth) > 0
        for slot in range(batch):
            assert depth < len(decoder.cached(slot)) <= depth + 16, "a token at this depth, and few of them"
        assert loop.ceiling(depth) > 0
        assert len(decoder.cached(0)) == depth + 64, "all of them in one batch"


def test_an_answer_tells_its_speed_and_where_it_stood() -> None:
    decoder = FakeDecoder(context=4096)
    answer = answer_speed(decoder, 1000, 50, drafts=False)
    assert answer.speed > 0
    assert answer.drafted == answer.accepted == 0
    assert 700 < answer.depth < 1300


def test_what_another_measurement_left_in_the_cache_is_no_hindrance() -> None:
    decoder = FakeDecoder(context=4096, slots=2)
    BareLoop(decoder, seconds=0.001).speed(2, 100)
    assert answer_speed(decoder, 500, 50, drafts=True).speed > 0


def test_the_engine_s_own_error_is_raised() -> None:
    with pytest.raises(ContextTooLong):
        answer_speed(FakeDecoder(context=256), 1000, 50, drafts=False)
