"""The engine over the fake decoder, which refuses what a real cache would not survive."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.engine.desk import Desk, StubbornDecoder, TimedDecoder, Watch, audit, holds
from vaultbridge.backends.fakes.decoder import FakeDecoder, FakeSampler
from vaultbridge.core.dialogue import (
    Continuation,
    Conversation,
    Grammar,
    GroundedPrompt,
    Message,
    PromptNote,
    Sampling,
)
from vaultbridge.core.errors import (
    CacheFull,
    ContextTooLong,
    DeadlineExceeded,
    DecodeFailed,
    InvalidRequest,
    Overloaded,
)
from vaultbridge.core.ports import Segment
from vaultbridge.engine.calls import Generate
from vaultbridge.engine.engine import Engine

SECRET = PromptNote(1, "[1] secret", "Diary.md")


@pytest.fixture
def watch() -> Watch:
    return Watch()


def desk_over(watch: Watch, kind: type[TimedDecoder] = TimedDecoder, **shape: int) -> tuple[Desk, TimedDecoder]:
    decoder = kind(watch, **{"context": 96, "slots": 4, **shape})
    return Desk(Engine(decoder, watch)), decoder


def cached(desk: Desk, call: int) -> int:
    return desk.ended[call, 0].usage.cached_tokens


# --- what is shared ---------------------------------------------------------------------------------------------------


def test_the_next_turn_begins_where_the_last_one_ended(watch: Watch) -> None:
    desk, decoder = desk_over(watch, context=400)
    first = Message("user", ("a question that is asked",))
    call = desk.put(Generate(GroundedPrompt(Conversation((first,))), Sampling()))
    desk.finish()
    ended = desk.ended[call, 0]
    spoken = Message("assistant", (desk.text(call),), tokens=ended.tokens)
    again = Conversation((first, spoken, Message("user", ("And then?",))))
    before = decoder.tokens
    follow = desk.put(Generate(GroundedPrompt(again), Sampling(max_tokens=1)))
    desk.finish()
    whole = ended.usage.prompt_tokens + ended.usage.completion_tokens
    assert cached(desk, follow) >= whole - 1, "the last token was said, but never computed"
    assert decoder.tokens - before == desk.ended[follow, 0].usage.prompt_tokens - cached(desk, follow)


def test_a_cache_that_takes_nothing_back_gives_the_same_answers_later(watch: Watch) -> None:
    desk, _ = desk_over(watch, StubbornDecoder)
    texts = ["common beginning a", "common beginning b", "common beginning a", "common beginning abc"]
    calls = [desk.ask(text) for text in texts[:2]]
    desk.finish()
    calls += [desk.ask(text) for text in texts[2:]]
    desk.finish()
    assert [desk.text(call) for call in calls] == [f"You said: {text}" for text in texts]


@pytest.mark.parametrize(
    ("text", "stop", "shown"),
    [("abc", ("bc",), "You said: a"), ("a → b", ("→",), "You said: a "), ("abc", ("You",), ""), ("abc", ("x",), None)],
    ids=["stopped", "in the middle of a character's bytes", "at once", "not stopped"],
)
def test_the_tokens_of_an_answer_are_those_of_its_text(
    watch: Watch, text: str, stop: tuple[str, ...], shown: str | None
) -> None:
    """They stand in the next turn's prompt instead of the text: nothing of a stop text may come back with them."""
    desk, _ = desk_over(watch)
    call = desk.ask(text, Sampling(stop=stop))
    desk.finish()
    assert desk.text(call) == ("You said: abc" if shown is None else shown)
    assert bytes(desk.ended[call, 0].tokens).decode() == desk.text(call)


def test_where_a_token_is_text_and_stop_text_at_once_the_text_alone_is_kept(watch: Watch) -> None:
    class Syllables(TimedDecoder):
        def token_bytes(self, token: int) -> bytes:
            return super().token_bytes(token) * 2

    desk, _ = desk_over(watch, Syllables)
    call = desk.ask("abc", Sampling(stop=("ou",)))
    desk.finish()
    assert desk.text(call) == "YYo"
    assert desk.ended[call, 0].tokens == ()


def test_choices_have_seeds_of_their_own(watch: Watch) -> None:
    seeds: list[int | None] = []

    class Seeded(TimedDecoder):
        def sampler(self, sampling: Sampling) -> FakeSampler:
            seeds.append(sampling.seed)
            return super().sampler(sampling)

    desk, _ = desk_over(watch, Seeded)
    desk.ask("a", Sampling(n=3, seed=40))
    desk.ask("b", Sampling(n=2))
    desk.finish()
    assert seeds == [40, 41, 42, None, None]


# --- what fails -------------------------------------------------------------------------------------------------------


class PoisonedDecoder(TimedDecoder):
    """Fails, its work half done, on every batch that holds an exclamation mark."""

    def decode(self, segments: Sequence[Segment]) -> None:
        super().decode(segments)
        if any(ord("!") in segment.tokens for segment in segments):
            raise RuntimeError("native trouble")


def test_a_decode_error_fails_only_the_one_it_belongs_to(watch: Watch) -> None:
    desk, decoder = desk_over(watch, PoisonedDecoder, batch=64)
    good = [desk.ask("abc"), desk.ask("bca")]
    bad = desk.ask("a!")
    good.append(desk.ask("cab"))
    desk.finish()
    assert isinstance(desk.failed[bad], DecodeFailed)
    assert "native trouble" in str(desk.failed[bad])
    assert [desk.text(call) for call in good] == [f"You said: {text}" for text in ("abc", "bca", "cab")]
    audit(desk.engine, decoder)
    assert holds(decoder, ["a!"]) == []


class Speechless(FakeSampler):
    """Fails at its fourth token."""

    def sample(self, row: int) -> int:
        if self._said == 3:
            raise RuntimeError("no words")
        return super().sample(row)


class SpeechlessDecoder(TimedDecoder):
    """Some of its samplers fail: those of a temperature of 2."""

    def sampler(self, sampling: Sampling) -> FakeSampler:
        return Speechless(self, sampling) if sampling.temperature == 2 else super().sampler(sampling)


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_sampler_that_fails_ends_its_own_call_once(watch: Watch, forgotten: bool) -> None:
    desk, decoder = desk_over(watch, SpeechlessDecoder)
    bad = desk.ask("abc", Sampling(temperature=2, n=3), [SECRET])
    good = desk.ask("bca")
    for _ in range(3):
        desk.step()
    if forgotten:
        desk.engine.forget({SECRET.source})
    desk.finish()
    assert isinstance(desk.failed[bad], DecodeFailed)
    assert desk.text(good) == "You said: bca"
    audit(desk.engine, decoder)
    assert not forgotten or holds(decoder, ["secret"]) == []


class MiserlyDecoder(TimedDecoder):
    """Says that it is full when more than one sequence is in it, whatever the books say."""

    def decode(self, segments: Sequence[Segment]) -> None:
        if sum(bool(self.cached(slot)) for slot in range(self.slots)) > 1:
            raise CacheFull("No room.")
        super().decode(segments)


def test_a_cache_that_is_full_before_its_time_makes_others_wait_and_nobody_fail(watch: Watch) -> None:
    desk, _ = desk_over(watch, MiserlyDecoder, slots=2, batch=8)
    calls = [desk.ask("abcabcabcabc"), desk.ask("cbacbacbacba")]
    desk.finish()
    assert [desk.text(call) for call in calls] == ["You said: abcabcabcabc", "You said: cbacbacbacba"]


@pytest.mark.parametrize(
    ("text", "error"), [("", InvalidRequest), ("x" * 200, ContextTooLong)], ids=["empty", "too long"]
)
def test_a_prompt_that_cannot_be_served_is_refused_and_leaves_nothing(
    watch: Watch, text: str, error: type[Exception]
) -> None:
    desk, _ = desk_over(watch)
    with pytest.raises(error):
        desk.ask(text)
    assert not desk.engine.busy


def test_a_sampler_that_cannot_be_made_refuses_the_request(watch: Watch) -> None:
    class Illiterate(TimedDecoder):
        def sampler(self, sampling: Sampling) -> FakeSampler:
            if sampling.grammar:
                raise InvalidRequest("The grammar cannot be read.", param="grammar")
            return super().sampler(sampling)

    desk, _ = desk_over(watch, Illiterate)
    with pytest.raises(InvalidRequest):
        desk.ask("abc", Sampling(grammar=Grammar("gbnf", "?"), n=2))
    assert not desk.engine.busy


# --- who leaves -------------------------------------------------------------------------------------------------------

MOMENTS = {"in the queue": 0, "in prefill": 1, "while it speaks": 8}


@pytest.mark.parametrize("moment", MOMENTS)
def test_one_who_leaves_gives_the_slot_to_the_next_at_once(watch: Watch, moment: str) -> None:
    desk, decoder = desk_over(watch, slots=1, batch=16)
    leaves = desk.ask("a" * 40)
    stays = desk.ask("bca")
    for _ in range(MOMENTS[moment]):
        desk.step()
    assert bool(desk.text(leaves)) is (moment == "while it speaks")
    desk.leave(leaves)
    desk.step()
    assert decoder.cached(0) == list(b"bca")
    desk.finish()
    assert desk.text(stays) == "You said: bca"


def test_when_all_have_left_nothing_is_to_be_done(watch: Watch) -> None:
    desk, decoder = desk_over(watch, batch=16)
    for call in [desk.ask("abc" * 9, Sampling(n=2)), desk.ask("cba")]:
        desk.step()
        desk.leave(call)
    assert not desk.engine.busy
    assert desk.engine.step() == []
    audit(desk.engine, decoder)


# --- time -------------------------------------------------------------------------------------------------------------


def test_a_request_that_waits_too_long_fails_and_one_that_speaks_ends_there(watch: Watch) -> None:
    desk, _ = desk_over(watch, slots=1)
    speaks, waits = desk.ask("abcabcabc", deadline=10.0), desk.ask("bcabcabca", deadline=10.0)
    desk.step()
    desk.step()
    watch.now += 10.0
    desk.finish()
    assert desk.ended[speaks, 0].reason == "length"
    assert desk.text(speaks) == "Yo"
    assert isinstance(desk.failed[waits], DeadlineExceeded)


def test_a_prompt_that_is_not_through_in_time_fails(watch: Watch) -> None:
    desk, _ = desk_over(watch, batch=4)
    call = desk.ask("a" * 50, deadline=0.05)
    desk.finish()
    assert isinstance(desk.failed[call], DeadlineExceeded)


def test_of_a_call_whose_time_is_over_some_choices_may_speak_already(watch: Watch) -> None:
    desk, decoder = desk_over(watch, slots=2)
    call = desk.ask("abcabcabc", Sampling(n=3), deadline=10.0)
    other = desk.ask("bca")
    for _ in range(4):
        desk.step()
    assert desk.text(call)
    watch.now += 10.0
    desk.finish()
    assert isinstance(desk.failed[call], DeadlineExceeded), "one choice had not begun"
    assert desk.text(other) == "You said: bca"
    audit(desk.engine, decoder)


def test_an_answer_says_where_its_time_went(watch: Watch) -> None:
    desk, _ = desk_over(watch, slots=1, batch=16)
    first, second = desk.ask("abc"), desk.ask("b" * 40)
    desk.finish()
    steps = len("You said: abc") + 1  # and the end
    one, two = desk.ended[first, 0].timings, desk.ended[second, 0].timings
    assert (one.queue_ms, one.prefill_ms, one.decode_ms) == (0.0, 10.0, (steps - 1) * 10.0)
    assert (two.queue_ms, two.prefill_ms) == (steps * 10.0, 30.0)


def test_the_first_batch_of_all_is_not_what_a_batch_costs(watch: Watch) -> None:
    class Cold(TimedDecoder):
        def decode(self, segments: Sequence[Segment]) -> None:
            if not self.calls:
                self.watch.now += 0.2
            super().decode(segments)

    desk, decoder = desk_over(watch, Cold)
    desk.engine.calibrate()
    assert desk.engine._costs.step(1) == pytest.approx(0.01)
    assert all(decoder.cached(slot) == [] for slot in range(4))


def test_on_a_slow_machine_nobody_waits_long_for_the_calibration(watch: Watch) -> None:
    decoder = TimedDecoder(watch, every=0.5, context=96)
    Engine(decoder, watch).calibrate()
    assert decoder.calls == 1


# --- warming and forgetting -------------------------------------------------------------------------------------------


def test_what_is_warmed_is_there_when_it_is_asked(watch: Watch) -> None:
    desk, _ = desk_over(watch, batch=16)
    warmed = desk.ask("a" * 60, warm=True)
    desk.finish()
    assert desk.text(warmed) == ""
    assert desk.ended[warmed, 0].usage.prompt_tokens == 60
    real = desk.ask("a" * 60)
    desk.finish()
    assert cached(desk, real) == 59


def test_what_is_warmed_gives_way_and_leaves_its_cache(watch: Watch) -> None:
    desk, _ = desk_over(watch, batch=16)
    warmed = desk.ask("a" * 60, warm=True)
    desk.step()
    desk.step()
    real = desk.ask("a" * 60)
    assert isinstance(desk.failed[warmed], Overloaded)
    desk.finish()
    assert cached(desk, real) == 32


def test_nothing_is_warmed_while_somebody_waits(watch: Watch) -> None:
    desk, _ = desk_over(watch)
    real = desk.ask("abc")
    warmed = desk.ask("b" * 60, warm=True)
    assert isinstance(desk.failed[warmed], Overloaded)
    desk.finish()
    assert desk.text(real) == "You said: abc"


@pytest.mark.parametrize("moment", [*MOMENTS, "when it has ended"])
@pytest.mark.parametrize("warm", [True, False])
def test_forgotten_notes_are_not_in_the_cache_any_more(watch: Watch, warm: bool, moment: str) -> None:
    desk, decoder = desk_over(watch, slots=2, batch=16)
    call = desk.ask("what?" * 5, Sampling(max_tokens=9), [SECRET], warm=warm)
    for _ in range(MOMENTS.get(moment, 0)):
        desk.step()
    if moment == "when it has ended":
        desk.finish()
    desk.engine.forget({SECRET.source})
    desk.finish()
    assert not desk.failed
    assert (call, 0) in desk.ended
    assert holds(decoder, ["secret"]) == []


def test_other_notes_stay(watch: Watch) -> None:
    desk, decoder = desk_over(watch)
    desk.ask("what?", Sampling(max_tokens=1), [SECRET])
    desk.finish()
    desk.engine.forget({"Garden.md"})
    assert len(holds(decoder, ["secret"])) == 1


def test_a_warm_call_for_a_prompt_that_is_cached_costs_one_token(watch: Watch) -> None:
    desk, decoder = desk_over(watch)
    desk.ask("abcabc", Sampling(max_tokens=1))
    desk.finish()
    before = decoder.tokens
    desk.ask("abcabc", warm=True)
    desk.finish()
    assert decoder.tokens - before == 1


def test_the_fake_would_notice_a_cache_that_is_wrong() -> None:
    """What these tests rest on."""
    decoder = FakeDecoder(context=96, slots=1)
    tokens, _ = decoder.render(Continuation("abc"))
    decoder.decode([Segment(0, 0, tokens, outputs=1)])
    sampler = decoder.sampler(Sampling())
    said = sampler.sample(2)
    with pytest.raises(DecodeFailed):
        decoder.decode([Segment(0, 5, [said], outputs=1)])
    decoder.decode([Segment(0, 3, [said + 1], outputs=1)])
    with pytest.raises(DecodeFailed):
        sampler.sample(0)
