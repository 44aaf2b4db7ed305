"""From hits to a grounded prompt: fixed instructions first, history as it was, notes beside the newest question."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import dropwhile, takewhile

from vaultbridge.chat.citations import cite
from vaultbridge.chat.evidence import Evidence
from vaultbridge.chat.format import Format
from vaultbridge.chat.frame import framed
from vaultbridge.chat.memory import Thread, Turn, thinned
from vaultbridge.chat.packing import packed
from vaultbridge.core.dialogue import Continuation, GroundedPrompt, NoteBlock, PromptNote
from vaultbridge.core.notes import NotePath, Span
from vaultbridge.core.search import Citation, Hit
from vaultbridge.vault.measure import measure

EARLIER_BUDGETS = 2
"""The notes of former turns may measure so many times what those of the newest question may."""

_Place = tuple[NotePath, Span, str]


@dataclass(frozen=True, slots=True)
class Grounded:
    """A prompt with its notes, made from ``evidence``. ``offered`` are the citations beside the newest question, in
    their order there, ``earlier`` those of former turns, ``outgrown`` the earlier ones that there is no room for any
    more. ``highest`` is the last number that former turns gave to a note."""

    prompt: GroundedPrompt
    evidence: Evidence
    highest: int = 0
    offered: tuple[Citation, ...] = ()
    earlier: tuple[Citation, ...] = ()
    outgrown: tuple[Citation, ...] = ()

    @property
    def sources(self) -> frozenset[str]:
        """The notes whose text the prompt may hold."""
        return frozenset(citation.path for citation in (*self.earlier, *self.offered))

    def kept(self, numbers: Collection[int]) -> list[Citation]:
        """The citations with these numbers: what is in the prompt."""
        return [citation for citation in (*self.earlier, *self.offered) if citation.number in numbers]

    def omitted(self, numbers: Collection[int]) -> list[Citation]:
        """The citations without these numbers: what there was no room for, and does not stand in another place."""
        there = {_place(citation) for citation in self.kept(numbers)}
        everything = (*self.offered, *self.outgrown, *self.earlier)
        return [c for c in everything if c.number not in numbers and _place(c) not in there]

    def fallen(self, numbers: Collection[int]) -> set[int]:
        """The numbers of the earlier notes that are not among these."""
        return {citation.number for citation in (*self.outgrown, *self.earlier)}.difference(numbers)

    def turn(self, numbers: Collection[int]) -> Turn:
        """How the newest question stands in its prompt if that holds the notes with these numbers."""
        kept = self.kept(numbers)
        block = _only(self.prompt.block, kept)
        return Turn(
            offered=self.offered,
            block=block,
            instructions=self.prompt.instructions,
            highest=max([self.highest, *(note.number for note in block.notes)]),
            sources=frozenset(citation.path for citation in kept),
        )


def ground(thread: Thread, evidence: Evidence, form: Format) -> Grounded:
    """A conversation's prompt with its notes, numbered as their citations; ``form`` bounds the new ones.

    Former turns keep those of their notes that still stand, under their numbers. A hit that is among them is not
    repeated; new ones are numbered on. Without any note the prompt is left as it came.
    """
    turns = thread.turns
    highest = max((turn.highest for turn in turns.values()), default=0)
    standing = _standing(turns, evidence)
    blocks = {at: _only(turns[at].block, cited) for at, cited in standing.items()}
    left = _newest(blocks, EARLIER_BUDGETS * form.tokens)
    write = evidence.writer.place
    earlier = [replace(c, link=write(c.path, c.fragment)) for at in left for c in standing[at]]
    present = {_place(citation) for citation in earlier}
    # A note that changed during the search has a text by now that is not at hand.
    hits = [hit for hit in evidence.hits if hit.chunk.note not in thread.gone and _place_of(hit) not in present]
    # Only those that have room may pass better ones, so that none of these loses it.
    fitting, others = _room(packed(hits) if form.packed else hits, form)
    hits = [*_led(fitting, [_place(citation) for citation in thread.lead], form), *others]
    offered = cite(hits, evidence.notes, evidence.writer, highest + 1, evidence.outlines)
    outgrown = [c for at in blocks if at not in left for c in standing[at]]
    prompt, words = thread.prompt, evidence.words
    if not earlier and not offered:
        return Grounded(GroundedPrompt(prompt), evidence, highest)
    closing = "" if isinstance(prompt, Continuation) else form.closing(words)
    grounded = GroundedPrompt(
        prompt=prompt,
        block=NoteBlock(_notes(hits, offered, form), words.opening, closing, form.best_last),
        earlier=left,
        # Those of the conversation's first grounded turn: in another language they would be another beginning.
        instructions=next(
            (turn.instructions for turn in turns.values() if turn.instructions), form.instructions(words)
        ),
        budget=form.tokens,
        most=form.notes,
        stop=() if isinstance(prompt, Continuation) else form.stop(words),
    )
    return Grounded(grounded, evidence, highest, tuple(offered), tuple(earlier), tuple(outgrown))


def _standing(turns: Mapping[int, Turn], evidence: Evidence) -> dict[int, list[Citation]]:
    """What former turns may still cite. A turn that was answered twice may have given a later one's number away."""
    standing: dict[int, list[Citation]] = {}
    taken: set[int] = set()
    for at, turn in turns.items():
        cited = [citation for citation in turn.cited if citation.number not in taken and evidence.stands(citation)]
        if cited:
            standing[at] = cited
            taken.update(citation.number for citation in cited)
    return standing


def _only(block: NoteBlock, citations: Sequence[Citation]) -> NoteBlock:
    numbers = {citation.number for citation in citations}
    return thinned(block, lambda note: note.number in numbers)


def _notes(hits: Sequence[Hit], citations: Sequence[Citation], form: Format) -> tuple[PromptNote, ...]:
    contexts = {_place_of(hit): hit.chunk.context for hit in hits}
    return tuple(
        # A heading that is in the text already need not stand above it again.
        PromptNote(c.number, framed(c.number if form.frame == "marked" else 0, contexts[_place(c)], c.quote), c.path)
        for c in citations
    )


def _newest(blocks: Mapping[int, NoteBlock], limit: int) -> dict[int, NoteBlock]:
    """The blocks that measure at most ``limit`` together; if that is passed, the oldest go until half of it is left.

    Whenever one goes the prompt begins differently, and what is cached of it is lost: not at every turn, therefore.
    """
    sizes = {at: sum(measure(note.text) for note in block.notes) for at, block in blocks.items()}
    left = dict(blocks)
    if sum(sizes.values()) > limit:
        for at in blocks:
            if sum(sizes[other] for other in left) <= limit // 2 or len(left) == 1:
                break
            del left[at]
    return left


def _room(hits: Sequence[Hit], form: Format) -> tuple[list[Hit], list[Hit]]:
    """The hits that the form holds, as far as that can be told without the tokenizer, and the others."""
    fitting: list[Hit] = []
    others: list[Hit] = []
    left = form.tokens
    for hit in hits:
        if len(fitting) < form.notes and (size := measure(hit.chunk.embedded)) <= left:
            fitting.append(hit)
            left -= size
        else:
            others.append(hit)
    return fitting, others


def _led(hits: Sequence[Hit], lead: Sequence[_Place], form: Format) -> list[Hit]:
    """The hits in such an order that they are written as ``lead`` was, as far as that goes: so much of what is cached
    of its notes still fits. Where the best one stands last it still does."""
    left = {_place_of(hit): hit for hit in hits}
    if not form.best_last:
        first = [left.pop(place) for place in takewhile(left.__contains__, lead)]
        return [*first, *left.values()]
    best = next(iter(left), None)
    # What has no room now had none then, most likely, and was not written.
    written = dropwhile(lambda place: place not in left, reversed(lead))
    first = [left.pop(place) for place in takewhile(lambda place: place in left and place != best, written)]
    return [*left.values(), *reversed(first)]


def _place(citation: Citation) -> _Place:
    return citation.path, citation.span, citation.quote


def _place_of(hit: Hit) -> _Place:
    return hit.chunk.note, hit.chunk.span, hit.chunk.text
