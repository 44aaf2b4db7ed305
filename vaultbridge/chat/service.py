"""The one path from a conversation to an answer: every dialect, the command line included, goes through here."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace

from vaultbridge.chat.answer import Answer
from vaultbridge.chat.citations import cite
from vaultbridge.chat.events import AnswerEvent as AnswerEvent
from vaultbridge.chat.events import Grounding as Grounding
from vaultbridge.chat.events import Sources as Sources
from vaultbridge.chat.evidence import Evidence, Finder
from vaultbridge.chat.extract import MOST_PASSAGES, extract, not_found
from vaultbridge.chat.format import Format, format_of
from vaultbridge.chat.manner import choose_manner
from vaultbridge.chat.memory import Memory, Thread
from vaultbridge.chat.prompt import Grounded, ground
from vaultbridge.chat.request import GroundingMode as GroundingMode
from vaultbridge.chat.request import Request as Request
from vaultbridge.chat.request import SourcesMode as SourcesMode
from vaultbridge.chat.sources import as_written, without_sources
from vaultbridge.core.dialogue import Conversation, Failed, Finished, GroundedPrompt, Piece, Started, Usage
from vaultbridge.core.errors import ConfigError, InvalidRequest, ModelMissing, NotReady, VaultbridgeError
from vaultbridge.core.notes import NotePath
from vaultbridge.core.ports import ChunkStore, Clock, Generator, Generators, Permit
from vaultbridge.core.search import Citation, Freshness
from vaultbridge.retrieve.retriever import Retriever


@dataclass(frozen=True, slots=True)
class Warmed:
    """What was prefilled: the citations offered, and the tokens; ``usage`` None if a real request took its place."""

    citations: tuple[Citation, ...]
    usage: Usage | None


class ChatService:
    """Answers from the vault. Without a model, or with one that cannot be loaded, it answers with passages.

    ``ended`` hears how each request ended: its finish reason, its error's code, or ``cancelled``.
    """

    def __init__(
        self,
        retriever: Retriever,
        store: ChunkStore,
        generators: Generators,
        freshness: Callable[[], Freshness],
        notes_tokens: int,
        max_tokens: int,
        fetch_command: str,
        clock: Clock,
        ended: Callable[[str], None] = lambda outcome: None,
    ) -> None:
        self._finder = Finder(retriever, store, clock)
        self._store = store
        self._generators = generators
        self._freshness = freshness
        self._notes_tokens = notes_tokens
        self._max_tokens = max_tokens
        self._fetch_command = fetch_command
        self._ended = ended
        self._memory = Memory()
        self._warms = 0
        self._admitted = 0

    @property
    def admitted(self) -> int:
        """How many requests have a place in a model's queue."""
        return self._admitted

    async def format(self) -> Format:
        """How notes are given to the usual model, once it is loaded. Raises what keeps it from being so."""
        generator = self._generators.of("")
        if generator is None:
            raise ModelMissing("No model is loaded.", f"Fetch one: {self._fetch_command}")
        return await self._format_for(generator)

    async def answer(self, request: Request) -> AsyncGenerator[AnswerEvent, None]:
        """Grounding, Pieces, Sources, Finished; or Failed as the last event, possibly the first.

        Of several choices each has a Finished, the last one behind Sources. Raises Overloaded before any work is
        done. Closing the iterator cancels.
        """
        outcome = "cancelled"
        try:
            async with aclosing(self._answered(request)) as events:
                async for event in events:
                    if isinstance(event, Finished):
                        outcome = event.reason
                    elif isinstance(event, Failed):
                        outcome = _code(event.error)
                    yield event
        except Exception as error:
            outcome = _code(error)
            raise
        finally:
            self._ended(outcome)

    async def warm(self, request: Request) -> Warmed:
        """Find the notes for a question that is still being typed and prefill its prompt, behind every real request.

        The newest call counts. Raises what ``answer`` gives as Failed.
        """
        request = _read(request)
        generator = self._generators.of(request.model)
        if generator is None:
            return Warmed((), None)
        self._warms += 1
        turn = self._warms
        with self._following(request, generator) as thread:
            grounded = await self._ground(request, thread, generator)
            usage = None
            if turn == self._warms:
                # Kept before it is done: a question that cuts it short finds a part of it in the cache.
                thread.warmed(grounded.offered)
                usage = await generator.warm(grounded.prompt)
            return Warmed((*grounded.earlier, *grounded.offered), usage)

    def forget(self, paths: Collection[NotePath]) -> None:
        """Let go of everything that holds these notes' text; they were changed, excluded or deleted.

        What a request holds that runs just now goes when it ends.
        """
        self._memory.forget(paths)
        self._generators.forget(paths)

    @contextmanager
    def _following(self, request: Request, generator: Generator) -> Iterator[Thread]:
        with self._memory.follow(request.prompt, request.scope, generator.name) as thread:
            try:
                yield thread
            finally:
                if stale := thread.sources & thread.gone:
                    generator.forget(stale)

    async def _answered(self, request: Request) -> AsyncGenerator[AnswerEvent, None]:
        request = _read(request)
        generator = self._generators.of(request.model)
        if generator is None:
            async for event in self._extracted(request):
                yield event
            return
        with generator.admit(request.keep_alive) as permit:
            self._admitted += 1
            try:
                away: VaultbridgeError | None = None
                silent = _is_free(request)  # and until the first event: then passages may still take its place
                async with aclosing(self._generated(request, generator, permit)) as events:
                    async for event in events:
                        if silent and isinstance(event, Failed) and isinstance(event.error, ConfigError | NotReady):
                            away = event.error
                            break
                        silent = False
                        yield event
                if away is not None:
                    async for event in self._extracted(request, away):
                        yield event
            finally:
                self._admitted -= 1

    # --- what the vault has for a question ------------------------------------------------------------------------

    async def _find(self, request: Request, before: Iterable[NotePath] = ()) -> Evidence:
        return await self._finder.find(
            request.prompt, request.grounding, request.scope, request.k, request.note, before
        )

    async def _ground(self, request: Request, thread: Thread, model: Permit) -> Grounded:
        cited = (citation.path for turn in thread.turns.values() for citation in turn.cited)
        evidence = await self._find(request, cited)
        if not evidence.hits and not thread.turns:  # which nothing need be known of the model for
            return Grounded(GroundedPrompt(thread.prompt), evidence)
        form = request.format or await self._format_for(model)
        # Nothing is awaited from here until the generator has the prompt: what is forgotten later finds its sources.
        grounded = ground(thread, evidence, form)
        thread.sources = grounded.sources
        return grounded

    async def _format_for(self, model: Permit) -> Format:
        form = format_of(await model.info())
        return replace(form, tokens=self._notes_tokens or form.tokens)

    # --- two ways to answer ---------------------------------------------------------------------------------------

    async def _generated(
        self, request: Request, generator: Generator, permit: Permit
    ) -> AsyncGenerator[AnswerEvent, None]:
        sampling = replace(request.sampling, max_tokens=request.sampling.max_tokens or self._max_tokens)
        with self._following(request, generator) as thread:
            try:
                grounded = await self._ground(request, thread, permit)
            except VaultbridgeError as error:
                yield Failed(error)
                return
            if self._is_unknown(request, grounded):
                evidence = grounded.evidence
                closest = cite(evidence.closest, evidence.notes, evidence.writer, outlines=evidence.outlines)
                yield Grounding((), (), self._freshness(), evidence.degraded)
                yield Piece(not_found(closest, evidence.words, await self._store.counts()), tokens=0)
                yield Sources(())
                yield Finished("stop", Usage(0, 0))
                return
            answer: Answer | None = None
            async with aclosing(permit.stream(grounded.prompt, sampling)) as events:
                async for event in events:
                    if isinstance(event, Started):
                        kept = thread.standing(grounded.kept(event.kept))
                        thread.asked(grounded.turn(event.kept), grounded.fallen(event.kept))
                        manner = choose_manner(request, grounded.evidence, kept, thread.gone)
                        answer = Answer(sampling.n, kept, manner, event.prompt_tokens, thread.gone)
                        left_out = thread.standing(grounded.omitted(event.kept))
                        omitted = dict.fromkeys(citation.link for citation in left_out)
                        yield Grounding(tuple(kept), tuple(omitted), self._freshness(), grounded.evidence.degraded)
                    elif isinstance(event, Failed):
                        yield event
                    elif answer is not None:
                        for shown in answer.take(event):
                            if isinstance(shown, Finished) and shown.choice == 0:
                                said, plain = without_sources(answer.first.text), answer.first.plain
                                thread.answered(said, shown.tokens if plain else ())
                            yield shown
                        if answer.over:
                            return  # which cancels what the generator may still be saying

    @staticmethod
    def _is_unknown(request: Request, grounded: Grounded) -> bool:
        """Whether only the vault may answer, and does not know; an answer with a form of its own is the model's."""
        nothing = not grounded.offered and not grounded.earlier
        return _is_free(request) and nothing and grounded.evidence.unknown

    async def _extracted(
        self, request: Request, away: VaultbridgeError | None = None
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Passages instead of an answer. ``away`` is what keeps a chosen model from giving one."""
        if request.grounding == "off":
            yield Failed(away or ModelMissing("No model is loaded.", f"Fetch one: {self._fetch_command}"))
            return
        try:
            evidence = await self._find(request)
        except VaultbridgeError as error:
            yield Failed(error)
            return
        citations = cite(evidence.hits, evidence.notes, evidence.writer, outlines=evidence.outlines)
        if away is not None and not citations:
            yield Failed(away)
            return
        generator = {} if away is None else {"generator": away.code}
        yield Grounding(tuple(citations), (), self._freshness(), {**evidence.degraded, **generator})
        for text in extract(citations, evidence.words, self._fetch_command):
            yield Piece(text)
        yield Sources(tuple(citations[:MOST_PASSAGES]))
        yield Finished("stop", Usage(0, 0))


def _read(request: Request) -> Request:
    """The request without what we wrote into its prompt ourselves. Raises InvalidRequest if nobody asks in it."""
    prompt = request.prompt
    if isinstance(prompt, Conversation) and not any(message.role == "user" for message in prompt.messages):
        raise InvalidRequest("A conversation needs a user message.", param="messages")
    return replace(request, prompt=as_written(prompt))


def _is_free(request: Request) -> bool:
    """Whether any text may answer: one, without a form of its own."""
    tools = isinstance(request.prompt, Conversation) and request.prompt.tools
    return request.sampling.grammar is None and request.sampling.n == 1 and not tools


def _code(error: Exception) -> str:
    return error.code if isinstance(error, VaultbridgeError) else "internal_error"
