"""The generator's whole way, through the pipe, over the fake decoder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import pytest

from tests.engine.inline import launch_inline
from vaultbridge.backends.fakes.decoder import FakeDecoder
from vaultbridge.core.dialogue import (
    Continuation,
    Conversation,
    Event,
    Failed,
    Finished,
    GroundedPrompt,
    Message,
    NoteBlock,
    Piece,
    PromptNote,
    Sampling,
    Started,
    Usage,
)
from vaultbridge.core.errors import ContextTooLong, DecodeFailed, Overloaded
from vaultbridge.core.ports import Segment
from vaultbridge.engine.activity import Activity
from vaultbridge.engine.engine import Engine
from vaultbridge.engine.generator import HostedGenerator
from vaultbridge.engine.host import Host
from vaultbridge.engine.worker import GeneratorWorker

PLAIN = Sampling()


class CountingDecoder(FakeDecoder):
    """Counts what it computes, and fails on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.decoded = 0
        self.fail = False

    def decode(self, segments: Sequence[Segment]) -> None:
        if self.fail:
            raise RuntimeError("native trouble")
        self.decoded += sum(len(segment.tokens) for segment in segments)
        super().decode(segments)


@pytest.fixture
def decoder() -> CountingDecoder:
    return CountingDecoder()


@pytest.fixture
async def generator(decoder: CountingDecoder) -> AsyncIterator[HostedGenerator]:
    host = Host("generator", lambda: GeneratorWorker(Engine(decoder)), launch_inline)
    yield HostedGenerator("fake", host, Activity(), queue_limit=2, deadline=60)
    await host.close()


def ask(question: str) -> GroundedPrompt:
    return GroundedPrompt(Conversation((Message("user", (question,)),)))


async def events(generator: HostedGenerator, prompt: GroundedPrompt, sampling: Sampling = PLAIN) -> list[Event]:
    return [event async for event in generator.stream(prompt, sampling)]


def usage(events: list[Event]) -> Usage:
    return next(event.usage for event in events if isinstance(event, Finished))


def said(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Piece))


async def test_an_answer_starts_speaks_and_ends_with_its_reason(generator: HostedGenerator) -> None:
    answer = await events(generator, ask("hello"))
    assert isinstance(answer[0], Started)
    assert said(answer) == "You said: hello"
    assert isinstance(answer[-1], Finished)
    assert answer[-1].reason == "stop"
    assert answer[-1].usage.completion_tokens == len("You said: hello")


async def test_notes_reach_the_model_and_are_reported(generator: HostedGenerator) -> None:
    prompt = GroundedPrompt(
        Conversation((Message("user", ("When?",)),)),
        NoteBlock((PromptNote(1, "[1] Garden\nEvery two days."),), "Notes:"),
        instructions="Rules",
    )
    answer = await events(generator, prompt)
    assert answer[0] == Started(kept=(1,), omitted=(), prompt_tokens=usage(answer).prompt_tokens)
    assert said(answer) == "Every two days. [1]"


async def test_the_token_limit_ends_an_answer_as_length(generator: HostedGenerator) -> None:
    answer = await events(generator, ask("hello"), Sampling(max_tokens=3))
    assert said(answer) == "You"
    assert isinstance(answer[-1], Finished)
    assert answer[-1].reason == "length"


async def test_a_stop_text_ends_an_answer_and_is_not_shown(generator: HostedGenerator) -> None:
    answer = await events(generator, ask("hello"), Sampling(stop=("said",)))
    assert said(answer) == "You "
    assert isinstance(answer[-1], Finished)
    assert answer[-1].reason == "stop"


async def test_a_shared_prefix_is_not_computed_again(generator: HostedGenerator, decoder: CountingDecoder) -> None:
    history = "x" * 1000
    await events(generator, GroundedPrompt(Continuation(history)), Sampling(max_tokens=1))
    before = decoder.decoded
    answer = await events(generator, GroundedPrompt(Continuation(history + " and more")), Sampling(max_tokens=1))
    assert decoder.decoded - before < 20
    assert isinstance(answer[-1], Finished)
    assert answer[-1].usage.cached_tokens == 1000


async def test_the_same_prompt_twice_gives_the_same_answer(generator: HostedGenerator) -> None:
    assert said(await events(generator, ask("twice"))) == said(await events(generator, ask("twice")))


async def test_a_client_that_leaves_frees_the_model(generator: HostedGenerator) -> None:
    async with aclosing(generator.stream(ask("y" * 3000), Sampling())) as stream:
        async for event in stream:
            if isinstance(event, Piece):
                break
    assert said(await events(generator, ask("next"))) == "You said: next"


async def test_a_conversation_that_is_too_long_fails_alone(generator: HostedGenerator) -> None:
    (failed,) = await events(generator, ask("z" * 9000))
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, ContextTooLong)
    assert said(await events(generator, ask("fine"))) == "You said: fine"


async def test_a_native_failure_reaches_its_request_and_the_next_one_works(
    generator: HostedGenerator, decoder: CountingDecoder
) -> None:
    decoder.fail = True
    failed = (await events(generator, ask("hello")))[-1]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, DecodeFailed)
    decoder.fail = False
    assert said(await events(generator, ask("hello"))) == "You said: hello"


async def test_a_full_queue_refuses_before_any_work(generator: HostedGenerator) -> None:
    with generator.admit(), generator.admit(), pytest.raises(Overloaded), generator.admit():
        pass
    with generator.admit():
        pass


async def test_several_answers_at_once_do_not_mix(generator: HostedGenerator) -> None:
    questions = [f"question {i} " * (i + 1) for i in range(12)]
    answers = await asyncio.gather(*(events(generator, ask(question)) for question in questions))
    assert [said(answer) for answer in answers] == [f"You said: {question.strip()}" for question in questions]


async def test_every_choice_is_said_and_ends(generator: HostedGenerator, decoder: CountingDecoder) -> None:
    answer = await events(generator, ask("z" * 500), Sampling(n=3))
    for choice in range(3):
        text = "".join(event.text for event in answer if isinstance(event, Piece) and event.choice == choice)
        assert text == "You said: " + "z" * 500
    assert sorted(event.choice for event in answer if isinstance(event, Finished)) == [0, 1, 2]


async def test_choices_share_one_prefill(generator: HostedGenerator, decoder: CountingDecoder) -> None:
    await events(generator, ask("z" * 500), Sampling(n=3, max_tokens=1))
    assert decoder.decoded < 2 * 500


async def test_a_crowd_that_leaves_takes_nothing_along(generator: HostedGenerator) -> None:
    async def leave_at_once(i: int) -> None:
        async with aclosing(generator.stream(ask(f"{i} " * 1000), Sampling())) as stream:
            await anext(stream)

    await asyncio.gather(*(leave_at_once(i) for i in range(20)))
    assert said(await events(generator, ask("next"))) == "You said: next"


async def test_what_was_warmed_is_cached_and_what_was_forgotten_is_not(
    generator: HostedGenerator, decoder: CountingDecoder
) -> None:
    note = NoteBlock((PromptNote(1, "[1] Garden\nEvery two days.", "Garden.md"),), "Notes:")
    prompt = GroundedPrompt(Continuation("When? " * 50), note)

    async def cached() -> int:
        finished = (await events(generator, prompt, Sampling(max_tokens=1)))[-1]
        assert isinstance(finished, Finished)
        return finished.usage.cached_tokens

    warmed = await generator.warm(prompt)
    assert warmed is not None
    assert await cached() == warmed.prompt_tokens - 1
    generator.forget(["Garden.md"])
    assert await cached() == 0
