"""A chat service over a few notes, with a generator that says what the test wants and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import contextmanager

from tests.retrieve.rows import chunk, embed_all, update
from vaultbridge.backends.fakes.clock import FakeClock
from vaultbridge.backends.fakes.embeddings import FakeEmbeddings
from vaultbridge.backends.fakes.store import FakeStore
from vaultbridge.chat.service import AnswerEvent, ChatService, Grounding, Request, Sources
from vaultbridge.core.dialogue import (
    Conversation,
    Event,
    Failed,
    Finished,
    FinishReason,
    GeneratorInfo,
    GroundedPrompt,
    Message,
    Piece,
    Sampling,
    Started,
    Usage,
)
from vaultbridge.core.errors import ContextTooLong, Overloaded
from vaultbridge.core.notes import NoteUpdate
from vaultbridge.core.ports import Generator, Permit
from vaultbridge.core.search import Freshness
from vaultbridge.retrieve.retriever import Retriever

FETCH = "vaultbridge models pull something"
FRESH = Freshness(3, 2, 5)
PROMPT_TOKENS = 10
WARM_USAGE = Usage(100, 0, 40)

VAULT = [
    update(
        chunk("Bees.md", "Bees sleep in the hive at night.", 0, ["Bees", "Sleep"], "Bees > Sleep"),
        chunk("Bees.md", "Bees dance to tell where nectar is.", 1, ["Bees", "Dance"], "Bees > Dance"),
    ),
    update(chunk("Hives.md", "A hive where bees sleep costs forty euros.", context="Hives")),
    update(chunk("厨房/红烧肉.md", "红烧肉：五花肉切块，小火炖一小时。", context="红烧肉")),
]


class FakeGenerator:
    """Says ``pieces`` in every choice and ends with ``reason``.

    It fits the first ``room`` new notes and all earlier ones but ``outgrown``.
    ``prompts`` and ``samplings`` are what it was asked, ``warmed`` what it was warmed with, ``forgotten`` what it was
    told to forget. While ``held`` is set it waits for ``go`` behind its first event, and while it warms.
    """

    def __init__(self, *pieces: str, room: int = 100, failure: Exception | None = None, name: str = "fake") -> None:
        self.pieces, self.room, self.failure, self.name = pieces, room, failure, name
        self.outgrown: Collection[int] = ()
        self.full = self.held = False
        self.reason: FinishReason = "stop"
        self.go = asyncio.Event()
        self.prompts: list[GroundedPrompt] = []
        self.samplings: list[Sampling] = []
        self.warmed: list[GroundedPrompt] = []
        self.forgotten: list[set[str]] = []
        self.admitted = self.closed = 0

    @property
    def tokens(self) -> tuple[int, ...]:
        """What the pieces are made of."""
        return tuple("".join(self.pieces).encode())

    @contextmanager
    def admit(self, keep_alive: float | None = None) -> Iterator[Permit]:
        if self.full:
            raise Overloaded("The queue is full.")
        self.admitted += 1
        try:
            yield self
        finally:
            self.admitted -= 1

    async def stream(self, prompt: GroundedPrompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        self.prompts.append(prompt)
        self.samplings.append(sampling)
        try:
            if isinstance(self.failure, ContextTooLong):
                yield Failed(self.failure)
                return
            earlier = [note.number for block in prompt.earlier.values() for note in block.notes]
            kept = [number for number in earlier if number not in self.outgrown]
            new = [note.number for note in prompt.block.notes]
            left_out = [*(number for number in earlier if number in self.outgrown), *new[self.room :]]
            yield Started((*kept, *new[: self.room]), tuple(left_out), PROMPT_TOKENS)
            if self.held:
                await self.go.wait()
            for text in self.pieces:
                for choice in range(sampling.n):
                    yield Piece(text, choice)
            if self.failure is not None:
                yield Failed(self.failure)
                return
            for choice in range(sampling.n):
                yield Finished(self.reason, Usage(PROMPT_TOKENS, len(self.pieces)), choice=choice, tokens=self.tokens)
        finally:
            self.closed += 1

    async def info(self) -> GeneratorInfo:
        return GeneratorInfo(self.name, 8192, chat=True)

    async def warm(self, prompt: GroundedPrompt) -> Usage | None:
        if self.failure is not None:
            raise self.failure
        if self.admitted:
            return None
        self.warmed.append(prompt)
        if self.held:
            await self.go.wait()
        return WARM_USAGE

    def forget(self, sources: Collection[str]) -> None:
        self.forgotten.append(set(sources))


class Only:
    """Implements ``core.ports.Generators`` with one model, or none, and others that can be named."""

    def __init__(self, usual: Generator | None, *others: Generator) -> None:
        self._usual = usual
        self._all = {one.name: one for one in (usual, *others) if one is not None}

    def of(self, name: str) -> Generator | None:
        return self._all.get(name, self._usual)

    def forget(self, sources: Collection[str]) -> None:
        for generator in self._all.values():
            generator.forget(sources)


class House:
    """A chat service over ``VAULT``."""

    def __init__(self, generator: FakeGenerator | None, notes_tokens: int = 500, *others: FakeGenerator) -> None:
        self.store = FakeStore()
        self.embeddings = FakeEmbeddings()
        self.outcomes: list[str] = []
        self.chat = ChatService(
            Retriever(self.store, self.embeddings),
            self.store,
            Only(generator, *others),
            freshness=lambda: FRESH,
            notes_tokens=notes_tokens,
            max_tokens=64,
            fetch_command=FETCH,
            clock=FakeClock(),
            ended=self.outcomes.append,
        )

    async def write(self, *updates: NoteUpdate) -> None:
        """Put notes into the index, with their vectors."""
        await self.store.replace(updates)
        await embed_all(self.store, self.embeddings)
        self.embeddings.documents.clear()

    async def answer(self, request: Request) -> list[AnswerEvent]:
        return [event async for event in self.chat.answer(request)]


async def make(generator: FakeGenerator | None, notes_tokens: int = 500, *others: FakeGenerator) -> House:
    house = House(generator, notes_tokens, *others)
    await house.write(*VAULT)
    return house


def talk(*texts: str) -> Conversation:
    """A conversation in turns, the user's first."""
    return Conversation(tuple(Message("assistant" if n % 2 else "user", (text,)) for n, text in enumerate(texts)))


def text_of(events: Sequence[AnswerEvent], choice: int = 0) -> str:
    return "".join(event.text for event in events if isinstance(event, Piece) and event.choice == choice)


def grounding_of(events: Sequence[AnswerEvent]) -> Grounding:
    assert isinstance(events[0], Grounding)
    return events[0]


def links(events: Sequence[AnswerEvent]) -> list[str]:
    """The links of the sources."""
    (sources,) = [event for event in events if isinstance(event, Sources)]
    return [citation.link for citation in sources.used]
