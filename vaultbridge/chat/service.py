"""The one path from a conversation to an answer: every dialect, the command line included, goes through here."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Literal

from vaultbridge.chat.citations import LinkWriter, MarkFilter, attribute, cite, relabelled
from vaultbridge.chat.extract import MOST_PASSAGES, extract
from vaultbridge.chat.language import Phrases, phrases
from vaultbridge.chat.prompt import ground
from vaultbridge.core.dialogue import (
    Conversation,
    Failed,
    Finished,
    GroundedPrompt,
    Piece,
    Prompt,
    Sampling,
    Started,
    Usage,
)
from vaultbridge.core.errors import InvalidRequest, ModelMissing, VaultbridgeError
from vaultbridge.core.notes import NotePath
from vaultbridge.core.ports import ChunkStore, Generator
from vaultbridge.core.search import Citation, Freshness, Hit, Query, Scope
from vaultbridge.retrieve.query import read_question
from vaultbridge.retrieve.retriever import Retriever

GroundingMode = Literal["auto", "always", "off"]
SourcesMode = Literal["field", "markdown", "none"]


@dataclass(frozen=True, slots=True)
class Request:
    """What a client wants. ``k`` counts chunks; ``note`` is the one being edited and left out."""

    prompt: Prompt
    sampling: Sampling = field(default_factory=Sampling)
    grounding: GroundingMode = "auto"
    scope: Scope = field(default_factory=Scope)
    k: int = 8
    sources: SourcesMode = "field"
    note: NotePath | None = None


@dataclass(frozen=True, slots=True)
class Grounding:
    """The first event: the citations whose text is in the prompt, the links of those left out for lack of room."""

    citations: tuple[Citation, ...]
    omitted: tuple[str, ...]
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class Sources:
    """After the last piece: the citations that the answer rests on."""

    used: tuple[Citation, ...]


AnswerEvent = Grounding | Piece | Sources | Finished | Failed


class ChatService:
    """Answers from the vault. Without a generator it answers with passages."""

    def __init__(
        self,
        retriever: Retriever,
        store: ChunkStore,
        generator: Generator | None,
        freshness: Callable[[], Freshness],
        notes_tokens: int,
        max_tokens: int,
        fetch_command: str,
    ) -> None:
        self._retriever = retriever
        self._store = store
        self._generator = generator
        self._freshness = freshness
        self._notes_tokens = notes_tokens
        self._max_tokens = max_tokens
        self._fetch_command = fetch_command

    async def answer(self, request: Request) -> AsyncGenerator[AnswerEvent, None]:
        """Grounding, Pieces, Sources, Finished; or Failed as the last event, possibly the first.

        Raises Overloaded before any work is done. Closing the iterator cancels.
        """
        if isinstance(request.prompt, Conversation) and not any(
            message.role == "user" for message in request.prompt.messages
        ):
            raise InvalidRequest("A conversation needs a user message.", param="messages")
        if self._generator is None:
            async for event in self._extracted(request):
                yield event
            return
        with self._generator.admit():
            async with aclosing(self._generated(request, self._generator)) as events:
                async for event in events:
                    yield event

    async def _retrieve(self, request: Request) -> tuple[list[Hit], list[Citation], Phrases]:
        question = read_question(request.prompt, request.scope)
        words = phrases(question.text)
        if request.grounding == "off":
            return [], [], words
        scope = question.scope
        if request.note is not None:
            scope = replace(scope, exclude=(*scope.exclude, request.note))
        query = Query(question.text, scope, limit=request.k)
        hits = await self._retriever.relevant(query, question.editing, any_hit=request.grounding == "always")
        # Asked after the search: what is gone or renamed by now is not cited.
        known = [await self._store.note(path) for path in dict.fromkeys(hit.chunk.note for hit in hits)]
        notes = {note.state.path: note for note in known if note is not None}
        return hits, cite(hits, notes, LinkWriter(await self._store.paths())), words

    async def _generated(self, request: Request, generator: Generator) -> AsyncGenerator[AnswerEvent, None]:
        try:
            hits, citations, words = await self._retrieve(request)
        except VaultbridgeError as error:
            yield Failed(error)
            return
        prompt = (
            ground(request.prompt, hits, citations, words, self._notes_tokens)
            if citations
            else GroundedPrompt(request.prompt)
        )
        sampling = replace(request.sampling, max_tokens=request.sampling.max_tokens or self._max_tokens)
        marks = MarkFilter({})
        said: list[str] = []
        async with aclosing(generator.stream(prompt, sampling)) as events:
            async for event in events:
                if isinstance(event, Started):
                    kept = [citation for citation in citations if citation.number in event.kept]
                    omitted = [citation.link for citation in citations if citation.number in event.omitted]
                    marks = MarkFilter({citation.number: _shown(citation, request.sources) for citation in kept})
                    citations = kept
                    yield Grounding(tuple(kept), tuple(dict.fromkeys(omitted)), self._freshness())
                elif isinstance(event, Piece):
                    if text := marks.push(event.text) if citations else event.text:
                        said.append(text)
                        yield Piece(text, event.choice, event.tokens, event.kind)
                elif isinstance(event, Finished):
                    if rest := marks.finish():
                        said.append(rest)
                        yield Piece(rest, tokens=0)
                    used = attribute("".join(said), citations, marks.used)
                    if used and request.sources == "markdown":
                        yield Piece(_source_line(used, words), tokens=0)
                    yield Sources(tuple(used))
                    yield event
                else:
                    yield event

    async def _extracted(self, request: Request) -> AsyncGenerator[AnswerEvent, None]:
        if request.grounding == "off":
            yield Failed(ModelMissing("No model is loaded.", f"Fetch one: {self._fetch_command}"))
            return
        try:
            _, citations, words = await self._retrieve(request)
        except VaultbridgeError as error:
            yield Failed(error)
            return
        used = tuple(citations[:MOST_PASSAGES])
        yield Grounding(tuple(citations), (), self._freshness())
        for text in extract(citations, words, self._fetch_command):
            yield Piece(text)
        yield Sources(used)
        yield Finished("stop", Usage(0, 0))


def _shown(citation: Citation, mode: SourcesMode) -> str:
    """A mark as a client can use it: a number that its list of citations explains, or a link."""
    if mode == "markdown":
        return relabelled(citation.link, str(citation.number))
    return f"[{citation.number}]" if mode == "field" else ""


def _source_line(used: Sequence[Citation], words: Phrases) -> str:
    return f"\n\n{words.sources}" + " · ".join(citation.link for citation in used)
