"""Drafts: where they come from, when they pay, and that nobody can tell them from the answer without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.desk import Desk, TimedDecoder, Watch
from tests.live.starters import starter
from vaultbridge.backends.fakes.decoder import FakeDecoder
from vaultbridge.core.dialogue import Conversation, GroundedPrompt, Message, Sampling
from vaultbridge.core.ports import Decoder, Segment
from vaultbridge.engine.calls import Generate
from vaultbridge.engine.drafts import LONGEST, NGRAM, Drafter
from vaultbridge.engine.engine import Engine

LINE = list(range(30))
OTHER = list(range(100, 160))


def flat(drafted: int) -> float:
    """A machine that computes many tokens in the time of one."""
    return 1.0


def proportional(drafted: int) -> float:
    """One that gains nothing by a batch."""
    return 1.0 + drafted


def gentle(drafted: int) -> float:
    """One between the two."""
    return 1.0 + 0.2 * drafted


def pushed(drafter: Drafter, tokens: list[int]) -> Drafter:
    for token in tokens:
        drafter.push(token)
    return drafter


# --- the look-up ------------------------------------------------------------------------------------------------------


def test_a_draft_is_what_followed_the_last_tokens() -> None:
    drafter = pushed(Drafter(LINE + OTHER), LINE[5:12])
    draft = drafter.draft(10, flat)
    assert draft == LINE[12:22]


def test_the_answers_own_words_are_looked_up_too() -> None:
    drafter = pushed(Drafter(OTHER), [1, 2, 3, 4, 5, 6, 7, 8, 9, 60, 1, 2, 3, 4])
    assert drafter.draft(3, flat) == [5, 6, 7]


def test_a_prompt_that_ends_as_something_in_it_begins_is_drafted_from_at_once() -> None:
    assert Drafter(LINE + OTHER + LINE[:6]).draft(4, flat) == LINE[6:10]


@pytest.mark.parametrize("same", range(NGRAM))
def test_fewer_tokens_than_must_agree_give_no_draft(same: int) -> None:
    assert pushed(Drafter(LINE), [99, *LINE[5 : 5 + same]]).draft(10, flat) == []


def test_the_longest_match_wins_over_the_latest() -> None:
    drafter = Drafter([1, 2, 3, 4, 5, 10, *OTHER, 9, 3, 4, 5, 20])
    assert pushed(drafter, [2, 3, 4, 5]).draft(1, flat) == [10]


def test_of_equally_long_ones_the_latest_wins() -> None:
    drafter = Drafter([1, 2, 3, 10, *OTHER, 1, 2, 3, 20, *OTHER])
    assert pushed(drafter, [99, 1, 2, 3]).draft(1, flat) == [20]


def test_it_starts_anew_where_the_answer_leaves_its_source() -> None:
    drafter = pushed(Drafter(LINE + OTHER), [*LINE[:6], 77])
    assert drafter.draft(4, flat) == []
    assert pushed(drafter, OTHER[:3]).draft(2, flat) == OTHER[3:5]


@pytest.mark.parametrize("most", [0, 1, 5])
def test_no_draft_is_longer_than_it_may_be(most: int) -> None:
    assert len(pushed(Drafter(LINE * 3), LINE[:12]).draft(most, flat)) <= most
    assert len(pushed(Drafter(list(range(500))), list(range(40))).draft(500, flat)) <= LONGEST


def test_no_draft_goes_beyond_what_is_there() -> None:
    drafter = Drafter([1, 2, 3, 4, 5, 1, 2, 3])
    assert [1, 2, 3, 4, 5, 1, 2, 3][3:][: len(drafter.draft(24, flat))] == drafter.draft(24, flat)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=40), st.lists(st.integers(0, 3), max_size=40))
def test_every_draft_stands_behind_the_same_tokens_somewhere(prompt: list[int], said: list[int]) -> None:
    drafter, tokens = Drafter(prompt), list(prompt)
    for token in said:
        drafter.push(token)
        tokens.append(token)
        draft = drafter.draft(6, flat)
        if draft:
            end = tuple(tokens[-NGRAM:])
            places = [at for at in range(NGRAM, len(tokens)) if tuple(tokens[at - NGRAM : at]) == end]
            assert any(tokens[at : at + len(draft)] == draft for at in places)


# --- whether it pays --------------------------------------------------------------------------------------------------


def test_before_a_step_was_timed_nothing_is_drafted() -> None:
    assert pushed(Drafter(LINE), LINE[:12]).draft(10, lambda drafted: 0.0) == []


def test_where_a_token_costs_a_tokens_time_nothing_is_drafted() -> None:
    drafter = Drafter(LINE * 3)
    for token in LINE * 2:
        assert drafter.draft(10, proportional) == []
        drafter.push(token)


def test_where_tokens_cost_nothing_drafts_are_long() -> None:
    assert len(pushed(Drafter(list(range(200))), list(range(30))).draft(200, flat)) == LONGEST


def test_the_cheaper_the_longer() -> None:
    drafter = pushed(Drafter(list(range(200))), list(range(5)))
    costs: list[Callable[[int], float]] = [proportional, gentle, flat]
    lengths = [len(drafter.draft(200, cost)) for cost in costs]
    assert lengths == sorted(set(lengths))


def test_tokens_of_others_make_a_step_dearer_to_delay() -> None:
    """Beside eight streams a step must bring more for the time that all of them wait."""
    drafter = pushed(Drafter(list(range(200))), list(range(8)))

    def beside_eight(drafted: int) -> float:
        return 8.0 + drafted

    assert len(drafter.draft(200, lambda drafted: 1.0 + drafted / 8)) > len(drafter.draft(200, beside_eight, 7))


def test_it_stops_where_its_drafts_are_wrong_and_begins_again_where_they_are_right() -> None:
    # The three tokens come again and again, and what follows them never is what followed before.
    drafter = pushed(Drafter([1, 2, 3, 50]), [1, 2, 3])
    assert drafter.draft(8, gentle)
    for wrong in range(60, 90):
        pushed(drafter, [wrong, 1, 2, 3])
    assert drafter.draft(8, gentle) == []
    # Learning goes on without drafts: now it is right every time.
    for _ in range(30):
        pushed(drafter, [89, 1, 2, 3])
    assert drafter.draft(1, gentle) == [89]


def test_long_matches_are_trusted_though_short_ones_fail() -> None:
    drafter = Drafter([*LINE, 1, 2, 3, 50])
    for wrong in range(60, 90):
        pushed(drafter, [1, 2, 3, wrong])
    assert pushed(drafter, [1, 2, 3]).draft(8, gentle) == []
    assert pushed(drafter, [99, *LINE[5:20]]).draft(8, gentle)[:2] == LINE[20:22]


# --- the same answer --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("each", [0.0, 0.001, 0.01], ids=["free", "cheap", "dear"])
def test_with_drafts_the_answer_is_the_same_in_fewer_steps(each: float) -> None:
    said, calls, figures = [], [], []
    for drafts in (False, True):
        watch = Watch()
        decoder = TimedDecoder(watch, each, context=600)
        desk = Desk(Engine(decoder, watch, drafts=drafts))
        desk.engine.calibrate()
        call = desk.ask("the quick brown fox jumps over the lazy dog " * 4)
        before = decoder.calls
        desk.finish()
        said.append(desk.text(call))
        calls.append(decoder.calls - before)
        figures.append(desk.ended[call, 0].timings)
    assert said[0] == said[1] == "You said: " + ("the quick brown fox jumps over the lazy dog " * 4).strip()
    assert figures[0].drafted == 0
    if each < 0.01:
        assert calls[1] < calls[0] / 3
        assert figures[1].drafted >= figures[1].accepted > 100
        assert figures[1].decode_ms < figures[0].decode_ms
    else:
        assert figures[1].decode_ms <= figures[0].decode_ms * 1.05


def test_drafted_tokens_have_their_log_probabilities_and_counts() -> None:
    watch = Watch()
    desk = Desk(Engine(TimedDecoder(watch, context=600), watch))
    desk.engine.calibrate()
    call = desk.ask("abcdefgh" * 10, Sampling(logprobs=0))
    desk.finish()
    ended = desk.ended[call, 0]
    assert ended.timings.accepted > 20
    assert desk.counted[call, 0] == ended.usage.completion_tokens == len(ended.tokens)


def test_a_stop_text_in_a_draft_ends_the_answer_there() -> None:
    watch = Watch()
    decoder = TimedDecoder(watch, context=600)
    desk = Desk(Engine(decoder, watch))
    desk.engine.calibrate()
    line = "one two three four five six seven eight nine STOP ten eleven "
    call = desk.ask(line + line, Sampling(stop=("STOP ten eleven one",)))
    desk.finish()
    assert desk.text(call) == "You said: one two three four five six seven eight nine "
    assert desk.ended[call, 0].reason == "stop"
    assert desk.ended[call, 0].timings.accepted > 10


# --- a real model -----------------------------------------------------------------------------------------------------

NOTE = (
    "The tomatoes stand in the second bed, between the rosemary and the old well. They are watered every two days in "
    "the evening, with two cans for each plant, and never on their leaves. In June the side shoots are broken out once "
    "a week."
)
COPYING = GroundedPrompt(
    Conversation(
        (
            Message("system", ("You repeat what the user writes, word for word.",)),
            Message("user", (f"Repeat this text: {NOTE}",)),
            Message("assistant", (NOTE,)),
            Message("user", ("Repeat it again.",)),
        )
    )
)
GREEDY = Sampling(temperature=0, repeat_penalty=1.0, max_tokens=32)
NEARLY_EQUAL = 0.5
"""Natural logarithm: what other batch sizes do to llama.cpp's probabilities is well below it."""


@pytest.fixture(scope="module")
def model() -> Iterator[Decoder]:
    from vaultbridge.backends.llama import LlamaDecoder

    decoder = LlamaDecoder(starter("smollm2-135m-instruct"), "smollm2-135m-instruct", 512, slots=2)
    yield decoder
    decoder.close()


class CheapBatches(Watch):
    """On this clock a step takes the same time whatever is in it, so that drafts pay on any machine."""

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


def greedy(model: Decoder, *, drafts: bool) -> tuple[tuple[int, ...], int]:
    """What is said, and how many tokens of it were drafted."""
    for slot in range(model.slots):
        assert model.truncate(slot, 0)
    desk = Desk(Engine(model, CheapBatches(), drafts=drafts))
    desk.engine.calibrate()
    desk.put(Generate(COPYING, GREEDY))
    desk.finish()
    ended = desk.ended[0, 0]
    return ended.tokens, ended.timings.accepted


def test_a_real_model_says_the_same_with_drafts(model: Decoder) -> None:
    plain, _ = greedy(model, drafts=False)
    drafted, accepted = greedy(model, drafts=True)
    assert accepted > len(drafted) / 3, "the answer is a copy"
    shared = next((i for i, (a, b) in enumerate(zip(plain, drafted, strict=False)) if a != b), len(drafted))
    if shared == len(drafted):
        assert drafted == plain
    else:  # where two tokens are almost equally likely the batch's size decides: they must be
        tokens, _ = model.render(COPYING.prompt)
        assert model.truncate(0, 0)
        model.decode([Segment(0, 0, [*tokens, *drafted[:shared]], outputs=1)])
        sampler = model.sampler(replace(GREEDY, logprobs=0))
        row = len(tokens) + shared - 1
        one, other = (sampler.logprob(row, token).logprob for token in (plain[shared], drafted[shared]))
        sampler.close()
        assert abs(one - other) < NEARLY_EQUAL


def test_any_temperature_says_the_same_with_drafts_where_every_choice_is_seeded() -> None:
    """The sampler is asked once for each token, row after row, drafted or not: its random numbers stay in step."""
    asked: dict[bool, list[int]] = {}
    for drafts in (False, True):
        watch = Watch()
        decoder = Recording(watch, context=600)
        desk = Desk(Engine(decoder, watch, drafts=drafts))
        desk.engine.calibrate()
        call = desk.ask("abcdefgh" * 10, Sampling(temperature=1.0, seed=5))
        desk.finish()
        assert (desk.ended[call, 0].timings.accepted > 0) is drafts
        asked[drafts] = decoder.asked
    assert asked[True] == asked[False]


class Recording(TimedDecoder):
    """Notes how much each sampled row had seen."""

    def __init__(self, watch: Watch, **shape: int) -> None:
        super().__init__(watch, **shape)
        self.asked: list[int] = []

    def context_of(self, row: int) -> list[int]:
        seen = FakeDecoder.context_of(self, row)
        self.asked.append(len(seen))
        return seen
