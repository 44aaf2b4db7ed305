"""A draft model: what it gains, what it may cost, and that nobody can tell it from the answer."""

from __future__ import annotations

import logging
import random
import string
from collections.abc import Callable

import pytest

from tests.engine.desk import Desk, GuessingDecoder, StubbornDecoder, TimedDecoder, Watch, audit, holds
from tests.live.starters import starter
from vaultbridge.backends.fakes.decoder import END, FakeSampler
from vaultbridge.core.dialogue import Conversation, GroundedPrompt, Message, PromptNote, Sampling
from vaultbridge.core.ports import Segment
from vaultbridge.engine.calls import Generate
from vaultbridge.engine.draft_model import DraftModel
from vaultbridge.engine.engine import Engine

NEARLY_EQUAL = 0.5
"""Natural logarithm: what other batch sizes do to llama.cpp's probabilities is well below it."""
SAID = "".join(random.Random(5).choices(string.ascii_letters, k=400))
"""An answer in which nothing comes twice, so that it cannot be drafted from itself."""
QUESTION = "What do you say? "
Guess = Callable[[list[int]], int]


def right(seen: list[int]) -> int:
    """What really comes next, as far as that can be told from the last tokens."""
    text = QUESTION + SAID
    end = bytes(seen[-4:]).decode()
    at = text.find(end) + len(end)
    return ord(text[at]) if end in text and at < len(text) else END


def wrong(seen: list[int]) -> int:
    return ord("?")


class Recital(FakeSampler):
    """Says its text, whatever is asked."""

    def sample(self, row: int) -> int:
        if not self._answer:
            self._prompt, self._answer = self._decoder.context_of(row), [*SAID.encode(), END]
        return super().sample(row)


class Reciter(TimedDecoder):
    """The large model."""

    def sampler(self, sampling: Sampling) -> FakeSampler:
        return Recital(self, sampling)


class House:
    """An engine with a draft model that takes a tenth of its time, or with none."""

    def __init__(self, guess: Guess | None, *, sight: int = 2048, vocabulary: int = END + 1) -> None:
        self.watch = Watch()
        self.decoder = Reciter(self.watch, 0.001, every=0.01, context=1024)
        self.guesser = GuessingDecoder(self.watch, guess or wrong, context=sight, cache=sight)
        draft_model = DraftModel(self.guesser, vocabulary, self.watch) if guess else None
        self.desk = Desk(Engine(self.decoder, self.watch, draft_model=draft_model))
        self.desk.engine.calibrate()

    def answer(self, text: str = QUESTION) -> float:
        """What is said is right; seconds that it took."""
        call = self.desk.ask(text)
        began = self.watch.now
        self.desk.finish()
        assert self.desk.text(call) == SAID
        return self.watch.now - began

    @property
    def accepted(self) -> int:
        return sum(ended.timings.accepted for ended in self.desk.ended.values())


def test_what_it_guesses_comes_in_fewer_steps_and_less_time() -> None:
    plain, helped = House(None), House(right)
    assert helped.answer() < plain.answer() / 2
    assert helped.decoder.calls < plain.decoder.calls / 3
    assert helped.accepted > 300


def test_one_that_is_always_wrong_costs_next_to_nothing() -> None:
    plain, helped = House(None), House(wrong)
    assert helped.answer() < plain.answer() * 1.05
    assert helped.accepted == 0
    assert helped.answer() < plain.answer() * 1.025, "it is known by now"


def test_where_it_is_right_again_it_is_asked_again() -> None:
    def often(seen: list[int]) -> int:
        return right(seen) if SAID.encode()[200:].find(bytes(seen[-4:])) >= 0 else wrong(seen)

    helped = House(often)
    helped.answer()
    assert helped.accepted > 50


def test_it_reads_only_the_end_of_what_is_longer_than_its_context() -> None:
    helped = House(right, sight=64)
    helped.answer("so many words " * 40 + QUESTION)
    assert helped.accepted > 200
    assert len(helped.guesser.cached(0)) <= 64
    assert helped.guesser.cached(0)[0] == ord("s"), "models are lost without the first token"


def test_what_it_has_read_is_not_read_again() -> None:
    helped = House(right)
    before = helped.guesser.tokens
    helped.answer("so many words " * 40 + QUESTION)
    first, before = helped.guesser.tokens - before, helped.guesser.tokens
    helped.answer("so many words " * 40 + QUESTION)
    assert first > 40 * 14 + len(SAID)
    assert helped.guesser.tokens - before < first - 30 * 14


def test_it_guesses_for_one_at_a_time() -> None:
    helped = House(right)
    calls = [helped.desk.ask(QUESTION), helped.desk.ask(QUESTION[::-1])]
    before = helped.guesser.calls
    while not any(helped.desk.is_over(call) for call in calls):
        assert helped.guesser.calls == before
        helped.desk.step()
    helped.answer()
    assert helped.guesser.calls > before


def test_drafts_stop_at_what_may_still_be_said() -> None:
    helped = House(right)
    call = helped.desk.ask(QUESTION, Sampling(max_tokens=50))
    helped.desk.finish()
    assert helped.desk.text(call) == SAID[:50]
    audit(helped.desk.engine, helped.decoder)


def test_one_that_fails_is_given_up_and_nobody_notices(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(GuessingDecoder):
        def decode(self, segments: list[Segment]) -> None:  # type: ignore[override]
            if self.calls == 20:
                raise RuntimeError("native trouble")
            super().decode(segments)

    helped = House(right)
    helped.guesser.__class__ = Broken
    with caplog.at_level(logging.WARNING):
        helped.answer()
        helped.answer()
    assert [record.message for record in caplog.records] == [
        "the draft model failed (RuntimeError) and is not asked any more"
    ]


def test_tokens_that_only_one_of_the_two_knows_are_left_alone() -> None:
    # The draft model has one more letter than the large one, and says it; then it is the other way round.
    helped = House(lambda seen: ord("z"), vocabulary=ord("z"))
    helped.answer()
    assert all(token < ord("z") for token in helped.guesser.cached(0))
    helped = House(right, vocabulary=ord("a"))
    helped.answer()
    assert helped.accepted < 20


SECRET = PromptNote(1, "[1] secret", "K")


@pytest.mark.parametrize("busy", [False, True])
def test_what_is_forgotten_goes_from_its_cache_too(busy: bool) -> None:
    helped = House(right)
    helped.desk.ask(QUESTION, notes=[SECRET])
    for _ in range(5):
        helped.desk.step()
    assert holds(helped.guesser, ["secret"])
    if not busy:
        helped.desk.finish()
    helped.desk.engine.forget({SECRET.source})
    assert not holds(helped.guesser, ["secret"])
    helped.desk.finish()
    assert not holds(helped.guesser, ["secret"])


def test_a_model_that_takes_nothing_back_is_never_guessed_for() -> None:
    watch = Watch()
    guesser = GuessingDecoder(watch, right)
    desk = Desk(Engine(StubbornDecoder(watch), watch, draft_model=DraftModel(guesser, END, watch)))
    before = guesser.calls
    desk.ask("abc")
    desk.finish()
    assert guesser.calls == before


# --- a real model -----------------------------------------------------------------------------------------------------


class CheapBatches(Watch):
    """On this clock a step takes the same time whatever is in it, so that drafts pay on any machine."""

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


def test_a_real_model_says_the_same_with_itself_as_draft_model() -> None:
    from vaultbridge.backends.llama import LlamaDecoder

    path = starter("smollm2-135m-instruct")
    model = LlamaDecoder(path, "smollm2-135m-instruct", 512, slots=1)
    draft = LlamaDecoder(path, "smollm2-135m-instruct", 512, slots=1, cache=512)
    prompt = GroundedPrompt(Conversation((Message("user", ("Why is the sky blue?",)),)))
    said: list[tuple[int, ...]] = []
    for helper in (None, draft):
        model.truncate(0, 0)
        clock = CheapBatches()
        draft_model = DraftModel(helper, model.vocabulary, Watch()) if helper else None  # which takes no time at all
        desk = Desk(Engine(model, clock, draft_model=draft_model))
        desk.engine.calibrate()
        desk.put(Generate(prompt, Sampling(temperature=0, repeat_penalty=1.0, max_tokens=40)))
        desk.finish()
        said.append(desk.ended[0, 0].tokens)
    timings = desk.ended[0, 0].timings
    assert timings.accepted > 20
    assert timings.accepted > timings.drafted * 0.7
    plain, drafted = said
    if drafted != plain:  # where two tokens are almost equally likely the batch's size decides: they must be
        shared = next(at for at, (one, other) in enumerate(zip(plain, drafted, strict=False)) if one != other)
        tokens, _ = model.render(prompt.prompt)
        model.truncate(0, 0)
        model.decode([Segment(0, 0, [*tokens, *drafted[:shared]], outputs=1)])
        sampler = model.sampler(Sampling(temperature=0, logprobs=0))
        row = len(tokens) + shared - 1
        one, other = (sampler.logprob(row, token).logprob for token in (plain[shared], drafted[shared]))
        sampler.close()
        assert abs(one - other) < NEARLY_EQUAL
    model.close()
    draft.close()
