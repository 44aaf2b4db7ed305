"""Tables: given these sequences and this budget, expect this step."""

from __future__ import annotations

import pytest

from vaultbridge.backends.fakes.decoder import FakeDecoder
from vaultbridge.core.dialogue import Sampling
from vaultbridge.engine.costs import BatchCosts
from vaultbridge.engine.drafts import Drafter
from vaultbridge.engine.scheduler import LEAST_CHUNK, WORTH_WAITING, Scheduler, Work
from vaultbridge.engine.sequence import Sequence
from vaultbridge.engine.slots import Slots

BATCH = 512
CONTEXT = 8192
Step = list[tuple[int, int]]
"""Who, by call, and how many tokens, in the order of the batch."""


class Board:
    """A scheduler whose steps are carried out by hand: what generates says 0, 1, 2 … and ends when it is told to."""

    def __init__(
        self,
        *,
        each: float = 0.0,
        step: float = 0.0,
        slots: int = 8,
        context: int = CONTEXT,
        cache: int = 0,
        drafts: bool = False,
        batch: int = BATCH,
    ) -> None:
        self.decoder = FakeDecoder(context=context, slots=slots, cache=cache, batch=batch)
        self.costs = BatchCosts()
        if step:
            self.costs.observe(1, 0, step)
        if each:
            self.costs.observe(0, 1000, 1000 * each)
        self.slots = Slots(self.decoder, context)
        self.scheduler = Scheduler(self.slots, self.costs, batch, drafts=drafts)
        self.computed = 0

    def ask(self, prompt: list[int], most: int = 4000, *, call: int = -1, **more: object) -> Sequence:
        call = call if call >= 0 else len(self.scheduler.everyone())
        sequence = Sequence(call, list(prompt), most, Sampling(), **more)  # type: ignore[arg-type]
        self.scheduler.add(sequence)
        return sequence

    def streams(self, count: int) -> list[Sequence]:
        """Sequences that generate."""
        asked = [self.ask(own(200 + i, 8), call=100 + i) for i in range(count)]
        self.step()
        assert [sequence.generated for sequence in asked] == [1] * count
        return asked

    def plan(self) -> list[Work]:
        work = self.scheduler.plan()
        self.decoder.decode([part.segment for part in work])
        self.computed += sum(len(part.segment.tokens) for part in work)
        return work

    def step(self) -> Step:
        work = self.plan()
        for part in work:
            self.slots.extend(self.slots[part.segment.slot], part.segment.tokens)
            if part.segment.outputs:
                part.sequence.tokens.append(part.sequence.generated % 100)
        return [(part.sequence.call, len(part.segment.tokens)) for part in work]

    def end(self, sequence: Sequence) -> None:
        self.scheduler.remove(sequence)


def own(number: int, length: int) -> list[int]:
    """A prompt that begins like no other."""
    return [number] + [number % 7] * (length - 1)


# --- what a step holds ------------------------------------------------------------------------------------------------

ALONE = [
    ("a long prompt takes whole batches", [2000], [[(0, 512)], [(0, 512)], [(0, 512)], [(0, 464)], [(0, 1)]]),
    ("a short one does not fill its batch", [100], [[(0, 100)], [(0, 1)]]),
    ("what is left of a batch goes to the next", [300, 1000], [[(0, 300), (1, 212)], [(0, 1), (1, 16)]]),
    ("first come, first through", [700, 600, 500], [[(0, 512)], [(0, 188), (1, 324)]]),
    ("several short ones in a step", [100, 100, 100], [[(0, 100), (1, 100), (2, 100)], [(0, 1), (1, 1), (2, 1)]]),
]


@pytest.mark.parametrize(("prompts", "steps"), [case[1:] for case in ALONE], ids=[case[0] for case in ALONE])
def test_prompts_without_streams(prompts: list[int], steps: list[Step]) -> None:
    board = Board()
    for number, length in enumerate(prompts):
        board.ask(own(number, length))
    assert [board.step() for _ in steps] == steps


BESIDE = [
    # streams, seconds of their step each, seconds of a prompt's token, tokens of the prompt that fit into 150 ms
    ("an ordinary machine", 1, 0.0095, 0.001, 140),
    ("more streams leave less", 3, 0.0095, 0.001, 121),
    ("a slow machine still goes on", 1, 0.100, 0.050, LEAST_CHUNK),
    ("streams that take all the time", 4, 0.100, 0.001, LEAST_CHUNK),
    ("a fast one fills the batch", 2, 0.001, 0.00001, BATCH - 2),
    ("nothing known yet", 2, 0.0, 0.0, LEAST_CHUNK),
]


@pytest.mark.parametrize(
    ("streams", "step", "each", "chunk"), [case[1:] for case in BESIDE], ids=[case[0] for case in BESIDE]
)
def test_streams_go_first_and_prompts_take_what_their_time_allows(
    streams: int, step: float, each: float, chunk: int
) -> None:
    board = Board(step=step, each=each)
    board.streams(streams)
    board.ask(own(0, 4000), call=0)
    assert board.step() == [*((100 + i, 1) for i in range(streams)), (0, chunk)]


def test_the_chunk_is_whole_again_when_the_stream_has_ended() -> None:
    board = Board(step=0.0095, each=0.001)
    (stream,) = board.streams(1)
    board.ask(own(0, 4000), call=0)
    assert board.step() == [(100, 1), (0, 140)]
    board.end(stream)
    assert board.step() == [(0, 512)]


def test_streams_join_and_leave_between_steps() -> None:
    board = Board()
    one, two = board.streams(2)
    assert board.step() == [(100, 1), (101, 1)]
    board.end(one)
    board.ask(own(0, 5), call=0)
    assert board.step() == [(101, 1), (0, 5)]
    assert board.step() == [(101, 1), (0, 1)]
    board.end(two)
    assert board.step() == [(0, 1)]


def test_more_streams_than_a_batch_holds_are_served_in_turn() -> None:
    board = Board(slots=6, batch=4)
    for number in range(6):
        board.ask(own(number, 1), 40)
    assert [board.step() for _ in range(2)] == [[(0, 1), (1, 1), (2, 1), (3, 1)]] * 2
    board.end(board.scheduler.running[0])
    assert board.step() == [(1, 1), (2, 1), (3, 1), (4, 1)]


# --- passing ----------------------------------------------------------------------------------------------------------


def test_a_short_prompt_passes_a_long_one() -> None:
    board = Board()
    board.ask(own(0, 2000))
    board.ask(own(1, 100))
    assert board.step() == [(1, 100), (0, 412)]


def test_one_that_is_not_much_shorter_does_not() -> None:
    board = Board()
    board.ask(own(0, 2000))
    board.ask(own(1, 501))
    assert board.step() == [(0, 512)]


def test_only_so_many_tokens_pass_a_prompt() -> None:
    board = Board(step=0.001, each=0.00001)
    board.ask(own(0, 4000))
    for number in range(1, 6):
        board.ask(own(number, 200))
    assert board.step() == [(1, 200), (2, 200), (0, 112)]
    steps = [board.step() for _ in range(8)]
    assert steps[:7] == [[(1, 1), (2, 1), (0, 510)]] * 7
    assert steps[7] == [(1, 1), (2, 1), (0, 318), (3, 192)]


# --- one prefix for several -------------------------------------------------------------------------------------------


def test_a_prompt_that_begins_as_one_under_way_waits_and_then_shares_it() -> None:
    board = Board()
    prefix = own(0, 1000)
    board.ask(prefix + [1] * 50)
    waiting = board.ask(prefix + [2] * 50)
    assert board.step() == [(0, 512)]
    assert waiting.slot is None
    assert board.step() == [(0, 512)]
    assert board.step() == [(0, 26), (1, 50)]
    assert waiting.cached_len == 1000
    assert board.computed == 1000 + 50 + 50


@pytest.mark.parametrize(("more", "waits"), [(WORTH_WAITING, True), (WORTH_WAITING - 1, False)])
def test_waiting_must_be_worth_it(more: int, waits: bool) -> None:
    board = Board()
    prefix = own(0, 512 + more)
    board.ask(prefix + [1] * 400)
    board.step()
    late = board.ask(prefix + [2] * 400)
    board.step()
    assert (late.slot is None) is waits
    assert late.cached_len == (None if waits else 512)


def test_nobody_waits_for_a_prefix_that_is_there_already() -> None:
    board = Board()
    prefix = own(0, 400)
    board.ask(prefix + [1] * 500)
    board.step()
    late = board.ask(prefix + [2] * 100)
    board.step()
    assert late.cached_len == 400


def test_who_shares_nothing_does_not_wait_behind_who_does() -> None:
    board = Board()
    prefix = own(0, 600)
    board.ask([*prefix, 1])
    board.ask([*prefix, 2])
    other = board.ask(own(1, 100))
    board.step()
    assert other.slot is not None


def test_choices_of_one_prompt_compute_it_once() -> None:
    board = Board()
    asked = [board.ask(own(0, 700), choice=choice, call=0) for choice in range(4)]
    steps = [board.step() for _ in range(3)]
    assert steps[0] == [(0, 512)]
    assert steps[1] == [(0, 188)]
    assert steps[2] == [(0, 1)] * 4
    assert [sequence.cached_len for sequence in asked] == [0, 699, 699, 699]
    assert board.slots.capacity - board.slots.free == 699 + 4 + 1, "a cell for each token that differs"


def test_the_next_turn_finds_the_last_one() -> None:
    board = Board()
    first = board.ask(own(0, 300))
    board.step()
    board.step()
    board.end(first)
    follow = board.ask([*first.tokens, 3, 3, 3])
    assert board.step() == [(0, 4)]
    assert follow.cached_len == 301


# --- room -------------------------------------------------------------------------------------------------------------

ADMITTED = [
    # tokens of two prompts, of their answers at the most, cells; whether both are let in at once
    ("both answers fit", 100, 50, 300, True),
    ("one cell is missing", 100, 50, 299, False),
    ("of long answers a part is reserved", 100, 900, 2 * (100 + 256), True),
    ("but that it is", 100, 900, 2 * (100 + 256) - 1, False),
]


@pytest.mark.parametrize(
    ("prompt", "most", "cells", "both"), [case[1:] for case in ADMITTED], ids=[case[0] for case in ADMITTED]
)
def test_memory_is_reserved_for_prompt_and_part_of_the_answer(prompt: int, most: int, cells: int, both: bool) -> None:
    board = Board(context=200, cache=cells)
    board.ask(own(0, prompt), most)
    board.ask(own(1, prompt), most)
    board.step()
    assert len(board.scheduler.running) == (2 if both else 1)


def test_cells_that_are_shared_are_reserved_once() -> None:
    board = Board(context=200, cache=149 + 3 * 21)
    for choice in range(3):
        board.ask(own(0, 150), 20, choice=choice)
    board.step()
    board.step()
    assert len(board.scheduler.running) == 3


def test_nobody_overtakes_one_who_waits_for_room() -> None:
    board = Board(context=400, cache=400)
    board.ask(own(0, 200), 100)
    board.ask(own(1, 200), 100)
    board.ask(own(2, 10), 10)
    board.step()
    assert [sequence.call for sequence in board.scheduler.running] == [0]


def test_idle_slots_make_room_the_least_recently_used_first_and_busy_ones_never() -> None:
    board = Board(step=0.001, each=0.00001, context=300, cache=300, slots=4)
    stream = board.ask(own(9, 40), 50, call=9)
    board.step()
    for number in (0, 1):
        done = board.ask(own(number, 80), 1)
        board.step()
        board.end(done)
    board.ask(own(2, 120), 1, call=2)
    board.step()
    held = [board.decoder.cached(slot)[:1] for slot in range(4)]
    assert [0] not in held, "the older of the idle ones has gone"
    assert {1, 2, 9} == {first for slot in held for first in slot}
    assert stream.slot is not None
    assert board.decoder.cached(stream.slot) == stream.tokens[:-1]


def test_when_every_slot_is_in_use_the_next_one_waits() -> None:
    board = Board(slots=2)
    for number in range(3):
        board.ask(own(number, 10))
    assert board.step() == [(0, 10), (1, 10)]
    board.end(board.scheduler.running[0])
    assert board.step() == [(1, 1), (2, 10)]


def test_a_full_cache_sends_the_newest_back_and_it_goes_on_where_it_was() -> None:
    board = Board(step=0.001, each=0.00001, context=700, cache=700)
    first, second = board.ask(own(0, 20), 600, call=0), board.ask(own(1, 20), 600, call=1)
    while second in board.scheduler.running or not second.generated:
        board.step()
    said = list(second.tokens)
    assert len(first.tokens) + len(said) >= 700, "every cell was of use"
    assert (first.slot, second.slot) == (0, None)
    assert board.step() == [(0, 1)]
    board.end(first)
    # All that it had said is in the prompt of its second try, and the last token of it makes the next one.
    while len(second.tokens) == len(said):
        board.step()
    assert second.tokens[: len(said)] == said
    assert second.prompt_len == 20
    assert second.cached_len == 0, "what it found at first"


def test_one_who_was_sent_back_comes_before_those_who_came_later() -> None:
    board = Board(step=0.001, each=0.00001, context=700, cache=700)
    board.ask(own(0, 20), 600, call=0)
    second = board.ask(own(1, 20), 600, call=1)
    while second in board.scheduler.running or not second.generated:
        board.step()
        if second.generated == 100:
            board.ask(own(2, 20), 600, call=2)
    assert [sequence.call for sequence in board.scheduler.waiting] == [1, 2]


# --- warming, forgetting, deadlines -----------------------------------------------------------------------------------


def test_what_is_warmed_gives_way_to_anybody_and_leaves_what_it_has() -> None:
    board = Board(each=0.00099, step=0.01)
    warmed = board.ask(own(0, 900), 0, warm=True)
    assert board.step() == [(0, 151)], "short steps: a real request may come at any time"
    real = Sequence(1, own(0, 900), 100)
    assert board.scheduler.add(real) == [warmed]
    assert board.step() == [(1, 512)]
    assert real.cached_len == 151
    assert board.scheduler.everyone() == [real]


def test_one_that_waits_is_warmed_no_more_either() -> None:
    board = Board()
    warmed = board.ask(own(0, 900), 0, warm=True)
    assert board.scheduler.add(Sequence(1, own(1, 9), 100)) == [warmed]
    assert board.step() == [(1, 9)]


def test_nobody_reuses_what_is_forgotten() -> None:
    board = Board()
    first = board.ask(own(0, 300), sources=frozenset({"Diary.md"}))
    board.step()
    board.scheduler.forget({"Diary.md"})
    second = board.ask(own(0, 300), call=1)
    assert board.step() == [(0, 1), (1, LEAST_CHUNK)]
    assert second.cached_len == 0
    board.end(first)
    assert board.decoder.cached(0) == []
    board.end(second)
    third = board.ask(own(0, 300))
    board.step()
    assert third.cached_len == LEAST_CHUNK


def test_forgetting_something_else_changes_nothing() -> None:
    board = Board()
    first = board.ask(own(0, 300), sources=frozenset({"Diary.md"}))
    board.step()
    board.scheduler.forget({"Garden.md"})
    board.end(first)
    second = board.ask(own(0, 300))
    board.step()
    assert second.cached_len == 299


def test_who_waits_with_a_forgotten_note_leaves_nothing_of_it() -> None:
    board = Board(slots=1)
    first = board.ask(own(0, 20))
    waiting = board.ask(own(1, 20), sources=frozenset({"Diary.md"}))
    board.step()
    board.scheduler.forget({"Diary.md"})
    board.end(first)
    board.step()
    assert board.decoder.cached(0) == waiting.prompt.tolist()
    board.end(waiting)
    assert board.decoder.cached(0) == []


def test_who_is_sent_back_with_a_forgotten_note_leaves_nothing_of_it_either_time() -> None:
    board = Board()
    board.ask(own(0, 20))
    second = board.ask(own(1, 20), sources=frozenset({"Diary.md"}))
    board.step()
    board.scheduler.forget({"Diary.md"})
    assert board.scheduler.preempt() is second
    assert board.decoder.cached(1) == []
    board.step()
    assert second.slot is not None
    board.end(second)
    assert not any(1 in board.decoder.cached(slot)[:1] for slot in range(8))


def test_deadlines_are_told_of_waiting_and_running_ones() -> None:
    board = Board(slots=1)
    running = board.ask(own(0, 5), deadline=3.0)
    waiting = board.ask(own(1, 5), deadline=4.0)
    board.ask(own(2, 5))
    board.step()
    assert board.scheduler.expired(2.9) == []
    assert board.scheduler.expired(3.0) == [running]
    assert set(board.scheduler.expired(9.0)) == {running, waiting}


# --- drafts -----------------------------------------------------------------------------------------------------------


def drafting(board: Board, most: int = 4000) -> Sequence:
    """A sequence that has just begun to repeat its prompt."""
    line = list(range(50, 90))
    sequence = board.ask([*line, 1, 2], most, call=0)
    board.step()
    sequence.tokens[-1:] = line[:4]
    board.slots.truncate(board.slots[0], 42)
    board.step()  # what it has said, until one token is pending again
    sequence.tokens[-1] = line[4]
    sequence.drafter = Drafter(sequence.tokens)
    return sequence


def test_a_draft_stands_behind_the_token_that_it_follows_and_all_its_rows_are_wanted() -> None:
    board = Board(drafts=True)
    board.costs.observe(1, 0, 0.01)
    board.costs.observe(32, 0, 0.01)
    sequence = drafting(board)
    (part,) = board.plan()
    assert part.drafted > 3
    assert list(part.segment.tokens) == list(range(54, 55 + part.drafted))
    assert part.segment.outputs == 1 + part.drafted
    assert part.segment.position == len(sequence.tokens) - 1


def test_no_draft_is_longer_than_the_answer_may_be() -> None:
    board = Board(drafts=True)
    board.costs.observe(1, 0, 0.01)
    board.costs.observe(32, 0, 0.01)
    drafting(board, most=8)
    (part,) = board.plan()
    assert part.drafted == 2, "five are said, and one comes of the last row"


@pytest.mark.parametrize("drafts", [True, False])
def test_no_draft_where_it_does_not_pay_or_is_not_wanted(drafts: bool) -> None:
    board = Board(drafts=drafts)
    board.costs.observe(1, 0, 0.01)
    board.costs.observe(32, 0, 0.32 if drafts else 0.01)
    drafting(board)
    assert board.step() == [(0, 1)]


@pytest.mark.parametrize(
    ("each", "drafted"),
    [(0.0001, True), (0.01, False)],
    ids=["there is time for a draft and a chunk", "a slow machine has time for the chunk alone"],
)
def test_a_draft_beside_a_prompt_shares_its_time(each: float, drafted: bool) -> None:
    board = Board(drafts=True, each=each)
    board.costs.observe(1, 0, 0.01)
    board.costs.observe(32, 0, 0.01)
    drafting(board)
    board.ask(own(1, 4000), call=1)
    stream, prompt = board.plan()
    assert (stream.drafted > 0) is drafted
    assert len(prompt.segment.tokens) >= LEAST_CHUNK
