"""What former turns were given to read, and what was said to them, so that the next prompt begins as the cached one.

A client sends its history back raw: without the notes, and with an answer's text instead of its tokens.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from vaultbridge.core.dialogue import Conversation, Message, NoteBlock, Prompt, PromptNote
from vaultbridge.core.search import Citation, Scope

MOST_TURNS = 256
"""Turns remembered, of all conversations together; the least recently used goes first.

This bounds the memory that they take, some 20 kB each. How many of a conversation's earlier notes a prompt takes is
bounded where it is made, in ``chat/prompt``, and where the tokens are counted, in ``engine/fitting``.
"""


def thinned(block: NoteBlock, keep: Callable[[PromptNote], bool]) -> NoteBlock:
    """A block with fewer notes."""
    return replace(block, notes=tuple(filter(keep, block.notes)))


@dataclass(frozen=True, slots=True)
class Turn:
    """How a question stood in its prompt, and what was said to it.

    ``offered`` are the notes beside it in their order; ``block`` has those of them that were in the prompt.
    ``highest`` is the last number that the conversation gave to a note in a prompt. ``sources`` are the notes of the
    whole prompt, former turns' too. ``answer`` is the digest of the text as it was sent, ``tokens`` are what ``model``
    generated for it.
    """

    offered: tuple[Citation, ...] = ()
    block: NoteBlock = field(default_factory=NoteBlock)
    instructions: str = ""
    highest: int = 0
    sources: frozenset[str] = frozenset()
    answer: str = ""
    tokens: tuple[int, ...] = ()
    model: str = ""

    @property
    def cited(self) -> tuple[Citation, ...]:
        """The citations of ``block``."""
        numbers = {note.number for note in self.block.notes}
        return tuple(citation for citation in self.offered if citation.number in numbers)

    def without(self, sources: Collection[str]) -> Turn:
        """The same with nothing of these notes, nor the tokens of an answer that was given with one of them."""
        known = {*self.sources, *(citation.path for citation in self.offered)}
        if known.isdisjoint(sources):
            return self
        return replace(
            self,
            offered=tuple(citation for citation in self.offered if citation.path not in sources),
            block=thinned(self.block, lambda note: note.source not in sources),
            sources=self.sources.difference(sources),
            tokens=self.tokens if self.sources.isdisjoint(sources) else (),
        )


class Memory:
    """Turns by the digest of the messages that lead to them, and the requests that run over them now."""

    def __init__(self, most_turns: int = MOST_TURNS) -> None:
        self._most = most_turns
        self._turns: OrderedDict[str, Turn] = OrderedDict()
        self._running: set[Thread] = set()

    @contextmanager
    def follow(self, prompt: Prompt, scope: Scope, model: str) -> Iterator[Thread]:
        """What is remembered of a conversation, while a request for its next answer runs.

        Another scope is another conversation: what one let in, the other may not see.
        """
        thread = Thread(self, prompt, scope, model)
        self._running.add(thread)
        try:
            yield thread
        finally:
            self._running.discard(thread)

    def forget(self, sources: Collection[str]) -> None:
        """Let go of these notes' text, and tell the requests that run."""
        for key, turn in self._turns.items():
            self._turns[key] = turn.without(sources)
        for thread in self._running:
            thread.gone.update(sources)

    def recall(self, key: str) -> Turn | None:
        """The turn under ``key``, which is now the last to be dropped."""
        if key in self._turns:
            self._turns.move_to_end(key)
        return self._turns.get(key)

    def remember(self, key: str, turn: Turn) -> None:
        """Keep a turn."""
        self._turns[key] = turn
        self._turns.move_to_end(key)
        if len(self._turns) > self._most:
            self._turns.popitem(last=False)

    def drop(self, key: str) -> None:
        """Let go of a turn, if it is there."""
        self._turns.pop(key, None)


class Thread:
    """A conversation as far as it is remembered at the moment of asking, for one request; a Continuation has no past.

    ``gone`` are the notes forgotten since the request began, ``sources`` those that its prompt may hold.
    """

    def __init__(self, memory: Memory, prompt: Prompt, scope: Scope, model: str) -> None:
        self._memory = memory
        self._prompt = prompt
        self._model = model
        self._messages = prompt.messages if isinstance(prompt, Conversation) else ()
        self._keys = _beginnings(self._messages, scope)
        self._newest = max((at for at, message in enumerate(self._messages) if message.role == "user"), default=-1)
        self._turn = Turn()
        self.gone: set[str] = set()
        self.sources: frozenset[str] = frozenset()

    @property
    def prompt(self) -> Prompt:
        """The client's, with the tokens of the answers that are known."""
        if not isinstance(self._prompt, Conversation):
            return self._prompt
        spoken = tuple(self._as_spoken(at, message) for at, message in enumerate(self._messages))
        return replace(self._prompt, messages=spoken)

    def _as_spoken(self, at: int, message: Message) -> Message:
        # One with tool calls is more than its text.
        if message.role != "assistant" or message.tool_calls:
            return message
        turn = self._memory.recall(self._keys[at])
        if turn is None or not turn.tokens or (turn.model, turn.answer) != (self._model, _digest(message.text)):
            return message
        return replace(message, tokens=turn.tokens)

    @property
    def turns(self) -> dict[int, Turn]:
        """The questions before the newest one, by the index of their message, oldest first."""
        asked = (at for at, message in enumerate(self._messages[: self._newest]) if message.role == "user")
        return {at: turn for at in asked if (turn := self._memory.recall(self._keys[at + 1])) is not None}

    @property
    def lead(self) -> tuple[Citation, ...]:
        """What a warm call, or an earlier try, offered beside the newest question, in its order."""
        turn = (self._memory.recall(self._warm_key) or self._memory.recall(self._asked_key)) if self._messages else None
        return turn.offered if turn is not None else ()

    @property
    def _asked_key(self) -> str:
        return self._keys[self._newest + 1]

    @property
    def _warm_key(self) -> str:
        return f"warm {self._keys[self._newest]}"  # what stands before the newest question, whose text is not final

    def standing(self, citations: Iterable[Citation]) -> list[Citation]:
        """Those of the citations whose notes were not forgotten since the request began."""
        return [citation for citation in citations if citation.path not in self.gone]

    def warmed(self, offered: Sequence[Citation]) -> None:
        """Keep what a warm call offers beside the question, whatever its text will be."""
        if self._messages:
            self._memory.remember(self._warm_key, Turn(offered=tuple(offered)))

    def asked(self, turn: Turn, omitted: Collection[int]) -> None:
        """Keep how the newest question stands in its prompt.

        Earlier notes that are ``omitted`` do not come back: the prompt would begin differently once more, and as long
        as they counted as present they would not be offered again.
        """
        if not self._messages:
            return
        self._turn = turn
        for at, earlier in self.turns.items():
            block = thinned(earlier.block, lambda note: note.number not in omitted)
            if block != earlier.block:
                self._memory.remember(self._keys[at + 1], replace(earlier, block=block))
        self._memory.drop(self._warm_key)
        self._memory.remember(self._asked_key, turn.without(self.gone))

    def answered(self, text: str, tokens: Sequence[int]) -> None:
        """Keep what was said to the newest question: the text as it was sent, and the tokens it was generated as."""
        if self._messages:
            turn = replace(self._turn, answer=_digest(text), tokens=tuple(tokens), model=self._model)
            self._memory.remember(self._keys[-1], turn.without(self.gone))


def _beginnings(messages: Sequence[Message], scope: Scope) -> list[str]:
    """The digests of a conversation's first 0, 1, 2, … messages."""
    digest = hashlib.sha256(repr(scope).encode())
    beginnings = [digest.hexdigest()]
    for message in messages:
        facts = (message.role, _plain(message.text), message.name, message.tool_calls, message.tool_call_id)
        digest.update(repr(facts).encode())
        beginnings.append(digest.hexdigest())
    return beginnings


def _digest(text: str) -> str:
    return hashlib.sha256(_plain(text).encode(errors="replace")).hexdigest()


def _plain(text: str) -> str:
    """Clients trim texts, and change their line ends."""
    return " ".join(text.split())
