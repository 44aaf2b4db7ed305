"""What a slot holds, who may go on in it, and what goes when room is needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from vaultbridge.backends.fakes.decoder import FakeDecoder
from vaultbridge.core.ports import Segment
from vaultbridge.engine.slots import KEPT_TAIL, Slot, Slots

NOTHING: frozenset[str] = frozenset()
PREFIX = [7] * 100


class Refusing(FakeDecoder):
    """Copies nothing."""

    def copy(self, source: int, target: int, length: int) -> bool:
        return False


class Shelf:
    """Slots and the cache under them."""

    def __init__(self, slots: int = 3, capacity: int = 1000, kind: type[FakeDecoder] = FakeDecoder) -> None:
        self.decoder = kind(context=min(500, capacity), slots=slots, cache=capacity)
        self.slots = Slots(self.decoder, 500)

    def claim(self, tokens: Sequence[int], *sources: str) -> tuple[Slot, int] | None:
        return self.slots.claim(np.array(tokens, np.int32), frozenset(sources))

    def compute(self, tokens: Sequence[int], *sources: str, release: bool = True) -> Slot:
        """A prompt goes its way, into the cache and, but for the ``release``, back."""
        claimed = self.claim(tokens, *sources)
        assert claimed is not None
        slot, cached = claimed
        self.decoder.decode([Segment(slot.index, cached, list(tokens[cached:]), outputs=1)])
        self.slots.extend(slot, tokens[cached:])
        if release:
            self.slots.release(slot)
        assert self.decoder.cached(slot.index) == list(tokens)
        return slot


@pytest.mark.parametrize(
    ("tail", "other", "in_place"),
    [(KEPT_TAIL, True, True), (KEPT_TAIL + 1, True, False), (KEPT_TAIL + 1, False, True)],
    ids=["a short tail is not worth keeping", "a long one is", "but not if there is no other slot"],
)
def test_an_idle_slot_is_gone_on_in_or_copied(tail: int, other: bool, in_place: bool) -> None:
    shelf = Shelf(slots=2 if other else 1)
    first = shelf.compute(PREFIX + [1] * tail)
    claimed = shelf.claim(PREFIX + [2] * 50)
    assert claimed is not None
    slot, cached = claimed
    assert cached == len(PREFIX)
    assert (slot is first) is in_place
    assert first.length == len(PREFIX) + (0 if in_place else tail)


def test_a_busy_slot_is_copied_and_its_cells_are_shared() -> None:
    shelf = Shelf()
    first = shelf.compute([*PREFIX, 1], release=False)
    before = shelf.slots.free
    claimed = shelf.claim([*PREFIX, 2])
    assert claimed is not None
    slot, cached = claimed
    assert slot is not first
    assert cached == len(PREFIX)
    assert shelf.slots.free == before
    shelf.slots.truncate(first, 0)
    assert shelf.slots.free == before + 1, "the prefix is still in use"
    shelf.slots.truncate(slot, 0)
    assert shelf.slots.free == shelf.slots.capacity


def test_the_last_token_is_computed_again_for_its_logits() -> None:
    shelf = Shelf()
    shelf.compute(PREFIX)
    claimed = shelf.claim(PREFIX)
    assert claimed is not None
    assert claimed[1] == len(PREFIX) - 1
    assert shelf.decoder.cached(claimed[0].index) == PREFIX[:-1]


def test_the_longest_beginning_wins_and_an_idle_slot_among_equals() -> None:
    shelf = Shelf()
    shelf.compute(PREFIX + [1] * 10, release=False)
    longest = shelf.compute(PREFIX + [2] * 10, release=False)
    assert shelf.slots.best(np.array(PREFIX + [2] * 5 + [3]))[0] is longest
    idle = shelf.compute(PREFIX + [3] * 10)
    assert shelf.slots.best(np.array([*PREFIX, 4])) == (idle, len(PREFIX))


def test_a_slot_without_use_goes_before_one_that_holds_something_and_then_the_oldest() -> None:
    shelf = Shelf(slots=3)
    one, two = shelf.compute([1] * 20), shelf.compute([2] * 20)
    three = shelf.compute([3] * 20)
    assert {one.index, two.index, three.index} == {0, 1, 2}
    shelf.compute([1] * 20 + [4])
    assert shelf.compute([5] * 20) is two


def test_when_all_are_busy_there_is_none() -> None:
    shelf = Shelf(slots=2)
    shelf.compute([1] * 5, release=False)
    two = shelf.compute([2] * 5, release=False)
    assert shelf.claim([3]) is None
    assert shelf.claim([1] * 9) is None
    shelf.slots.release(two)
    assert shelf.claim([3]) == (two, 0)


def test_a_refused_copy_leaves_an_empty_slot() -> None:
    shelf = Shelf(kind=Refusing)
    shelf.compute(PREFIX, release=False)
    claimed = shelf.claim(PREFIX + [2] * 9)
    assert claimed is not None
    assert claimed[1] == 0
    assert shelf.slots.free == shelf.slots.capacity - len(PREFIX)


def test_room_is_made_of_idle_slots_the_oldest_first_and_no_more_than_needed() -> None:
    shelf = Shelf(slots=4, capacity=100)
    busy = shelf.compute([9] * 10, release=False)
    old, new = shelf.compute([1] * 20), shelf.compute([2] * 20)
    assert shelf.slots.make_room(50)
    assert (old.length, new.length) == (20, 20)
    assert shelf.slots.make_room(51)
    assert (old.length, new.length) == (0, 20)
    assert shelf.slots.make_room(90)
    assert (busy.length, new.length) == (10, 0)
    assert not shelf.slots.make_room(91)
    assert busy.length == 10


def test_what_could_be_claimed_is_all_that_no_busy_slot_holds() -> None:
    shelf = Shelf(capacity=500)
    shelf.compute(PREFIX + [1] * 5, release=False)
    shelf.compute(PREFIX + [2] * 5, release=False)
    shelf.compute([3] * 50)
    assert shelf.slots.claimable == 500 - 110
    assert shelf.slots.free == 500 - 160


def test_forgetting_empties_idle_slots_at_once_and_busy_ones_when_they_are_free() -> None:
    shelf = Shelf()
    idle, busy = shelf.compute([1] * 5, "a.md"), shelf.compute([2] * 5, "a.md", "b.md", release=False)
    other = shelf.compute([3] * 5, "b.md")
    shelf.slots.forget({"a.md"})
    assert (idle.length, busy.length, other.length) == (0, 5, 5)
    assert shelf.slots.best(np.array([2] * 5)) == (None, 0)
    shelf.slots.release(busy)
    assert busy.length == 0
    assert not busy.doomed
    assert shelf.decoder.cached(busy.index) == []


def test_a_copy_is_forgotten_with_what_it_was_copied_from() -> None:
    shelf = Shelf()
    shelf.compute([*PREFIX, 1], "a.md", release=False)
    copy = shelf.compute([*PREFIX, 2], "b.md")
    shelf.slots.forget({"a.md"})
    assert copy.length == 0


def test_an_emptied_slot_is_nobodys_any_more() -> None:
    shelf = Shelf(slots=1)
    shelf.compute([1] * 5, "a.md")
    fresh = shelf.compute([2] * 5, "b.md")
    shelf.slots.forget({"a.md"})
    assert fresh.length == 5


def test_after_a_failed_call_the_cache_is_cut_back_to_what_was_agreed() -> None:
    shelf = Shelf()
    slot = shelf.compute([1] * 5, release=False)
    shelf.decoder.decode([Segment(slot.index, 5, [6, 6])])
    shelf.slots.restore(slot)
    assert shelf.decoder.cached(slot.index) == slot.cached.tolist() == [1] * 5
