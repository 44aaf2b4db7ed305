"""One choice of an answer on its way to the client: marks decided on, sources named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from vaultbridge.chat.citations import MarkFilter, attribute, relabelled
from vaultbridge.chat.language import Phrases
from vaultbridge.core.dialogue import Piece
from vaultbridge.core.search import Citation

SourcesMode = Literal["field", "markdown", "none"]


class Choice:
    """Passes pieces on as they are to be shown; ``used`` are the citations that it rests on, once it is ``finished``.

    ``verbatim`` text has a form of its own, JSON for example, in which nothing may be changed. A ``plain`` choice has
    no reasoning and no tool calls: its tokens are those of its text.
    """

    def __init__(
        self, index: int, citations: Sequence[Citation], sources: SourcesMode, words: Phrases, *, verbatim: bool
    ) -> None:
        self._index = index
        self._citations = citations
        self._sources = sources
        self._words = words
        self._marks = MarkFilter({citation.number: _shown(citation, sources) for citation in citations})
        self._verbatim = verbatim or not citations
        self._said: list[str] = []
        self.used: list[Citation] = []
        self.plain = True
        self.finished = False

    @property
    def text(self) -> str:
        """What was sent so far."""
        return "".join(self._said)

    def push(self, piece: Piece) -> Iterator[Piece]:
        """What of a piece is now certain."""
        if piece.kind != "answer":
            self.plain = False
            yield piece
            return
        text = piece.text if self._verbatim else self._marks.push(piece.text)
        if text or piece.logprobs:
            self._said.append(text)
            yield replace(piece, text=text)

    def finish(self) -> Iterator[Piece]:
        """What was still held back, and the line of sources if one is wanted."""
        if rest := self._marks.finish():
            yield self._more(rest)
        self.finished = True
        self.used = attribute(self.text, self._citations, self._marks.used)
        if self.used and self._sources == "markdown" and not self._verbatim:
            links = " · ".join(citation.link for citation in self.used)
            yield self._more(f"\n\n{self._words.sources}{links}")

    def _more(self, text: str) -> Piece:
        self._said.append(text)
        return Piece(text, self._index, tokens=0)


def _shown(citation: Citation, mode: SourcesMode) -> str:
    """A mark as a client can use it: a number that its list of citations explains, or a link."""
    if mode == "markdown":
        return relabelled(citation.link, str(citation.number))
    return f"[{citation.number}]" if mode == "field" else ""
