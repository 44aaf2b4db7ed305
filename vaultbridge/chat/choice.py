"""One choice of an answer on its way to the client: cleaned, marks decided on, sources named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import replace

from vaultbridge.chat.citations import attribute, relabelled
from vaultbridge.chat.events import Unsupported
from vaultbridge.chat.hygiene.cleaning import cleaning
from vaultbridge.chat.manner import Manner
from vaultbridge.chat.marks import MarkFilter
from vaultbridge.chat.request import SourcesMode
from vaultbridge.chat.sources import sources_line
from vaultbridge.chat.stream import Chain, TextFilter
from vaultbridge.chat.support import Support
from vaultbridge.core.dialogue import Finished, Piece
from vaultbridge.core.search import Citation
from vaultbridge.retrieve.draft import in_a_sentence


class Choice:
    """Passes pieces on as they are to be shown.

    Once it is ``finished``, ``used`` are the citations that it rests on and ``unsupported`` the sentences that rest on
    none. Notes that are in ``gone`` by then are not named.

    A ``plain`` choice has no reasoning and no tool calls: its tokens are those of its text.
    """

    def __init__(self, index: int, citations: Sequence[Citation], manner: Manner, gone: Set[str]) -> None:
        self._index = index
        self._citations = citations
        self._manner = manner
        self._support = Support(citations)
        self._gone = gone
        self._marks = MarkFilter(
            citations,
            self._support,
            own={citation.number: _shown(citation, manner.sources) for citation in citations},
            inserted={citation.number: _inserted(citation, manner) for citation in citations},
            gone=gone,
        )
        self._filter = self._chosen()
        self._said: list[str] = []
        self._called = False
        self.tokens = 0
        self.used: list[Citation] = []
        self.unsupported: list[Unsupported] = []
        self.plain = True
        self.finished = False

    @property
    def text(self) -> str:
        """What was sent so far."""
        return "".join(self._said)

    @property
    def over(self) -> bool:
        """Whether nothing more of it will be shown, whatever the model goes on to say."""
        return self.finished or self._filter.ended

    def push(self, piece: Piece) -> Iterator[Piece]:
        """What of a piece is now certain."""
        self.tokens += piece.tokens
        if piece.kind != "answer":
            self.plain = False
            self._called = self._called or piece.kind == "tool_call"
            if piece.kind != "reasoning" or not (self._manner.clean and self._manner.editor):
                yield piece
            return
        text = self._filter.push(piece.text)
        if text or piece.logprobs:
            self._said.append(text)
            yield replace(piece, text=text)

    def finish(self, end: Finished) -> Iterator[Piece]:
        """What was still held back, and the line of sources if one belongs there."""
        self._marks.cut = end.reason == "length"
        if rest := self._filter.finish():
            yield self._more(rest)
        self.finished = True
        standing = [citation for citation in self._citations if citation.path not in self._gone]
        self.used = attribute(self._support.of(self.text), self._marks.credit, standing)
        said = len(self.text)
        self.unsupported = [
            replace(place, choice=self._index) for place in self._marks.unsupported if place.end <= said
        ]
        if self.used and self._manner.sources == "markdown" and self._takes_sources(end):
            yield self._more(sources_line(self._manner.words, self.used, self.text))

    def _chosen(self) -> TextFilter:
        manner = self._manner
        if manner.clean:
            return cleaning(manner.draft, self._marks, manner.known, editor=manner.editor)
        return Chain() if manner.verbatim or not self._citations else Chain(self._marks)

    def _takes_sources(self, end: Finished) -> bool:
        if self._manner.verbatim or self._called or (end.reason == "length" and in_a_sentence(self.text)):
            return False
        return not (self._manner.editor and self._manner.draft.unfinished and _goes_on(self.text))

    def _more(self, text: str) -> Piece:
        self._said.append(text)
        return Piece(text, self._index, tokens=0)


def _goes_on(text: str) -> bool:
    """Whether an answer begins as no sentence does, as far as its script tells."""
    first = text.lstrip()[:1]
    return first in tuple(",.;，。；、") or (first.isalpha() and not first.isupper())


def _shown(citation: Citation, mode: SourcesMode) -> str:
    """A mark as a client can use it: a number that its list of citations explains, or a link."""
    if mode == "markdown":
        return relabelled(citation.link, str(citation.number))
    return f"[{citation.number}]" if mode == "field" else ""


def _inserted(citation: Citation, manner: Manner) -> str:
    """A mark that the model did not set. As text only the line of sources has its link: a link behind every sentence
    is too many for a note, and for its graph."""
    return f"[{citation.number}]" if manner.clean and manner.sources == "field" else ""
