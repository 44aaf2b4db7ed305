"""One answer on its way to the client: all of its choices, from the generator's events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from vaultbridge.chat.choice import Choice
from vaultbridge.chat.events import Sources
from vaultbridge.chat.manner import Manner
from vaultbridge.core.dialogue import Finished, Piece, Usage
from vaultbridge.core.search import Citation


class Answer:
    """Each choice has its Finished, the last one behind Sources. It is ``over`` when all have; what the generator may
    still say is not waited for. Notes that get into ``gone`` meanwhile are not cited any more."""

    def __init__(
        self, count: int, citations: Sequence[Citation], manner: Manner, prompt_tokens: int, gone: Set[str]
    ) -> None:
        self._choices = [Choice(index, citations, manner, gone) for index in range(count)]
        self._prompt_tokens = prompt_tokens

    @property
    def first(self) -> Choice:
        """The choice that a conversation goes on from."""
        return self._choices[0]

    @property
    def over(self) -> bool:
        """Whether every choice is finished."""
        return all(choice.finished for choice in self._choices)

    def take(self, event: Piece | Finished) -> Iterator[Piece | Sources | Finished]:
        """What the client gets for an event of the generator. A choice that we end has stopped by itself."""
        choice = self._choices[event.choice]
        if choice.finished:
            return
        if isinstance(event, Finished):
            yield from self._finish(choice, event)
            return
        yield from choice.push(event)
        if choice.over:
            usage = Usage(self._prompt_tokens, choice.tokens)
            yield from self._finish(choice, Finished("stop", usage, choice=event.choice))

    def _finish(self, choice: Choice, end: Finished) -> Iterator[Piece | Sources | Finished]:
        yield from choice.finish(end)
        if self.over:
            used = dict.fromkeys(cited for choice in self._choices for cited in choice.used)
            yield Sources(tuple(used), tuple(place for choice in self._choices for place in choice.unsupported))
        yield end
