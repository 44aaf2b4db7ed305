"""Questions and answers that stand together in a note: asked in a line, in a callout's title, on a flashcard."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from vaultbridge.core.notes import Chunk
from vaultbridge.lab.cases import as_read
from vaultbridge.lab.training.near import words
from vaultbridge.lab.training.pairs import FEWEST_WORDS, QUESTION, Cut, Pair, asked_for
from vaultbridge.retrieve.relevance import terms
from vaultbridge.vault.structure import Block, Structure, structure_of

DECK = "flashcards"
"""The tag, with all below it, of notes with cards, as the Spaced Repetition plugin has it unless told otherwise."""

_CALLOUT = re.compile(r"[ ]{0,3}>[ \t]?\[!(?P<type>[^\]|]+)(?:\|[^\]]*)?\][+-]?[ \t]*(?P<title>[^\r\n]*)")
_QUOTE = re.compile(r"^[ ]{0,3}>[ ]?", re.MULTILINE)
_LABEL = re.compile(r"^(?:Q|A|Question|Answer|问|答|问题|答案|質問|回答)[ \t]*\d*[.:：、)][ \t]*", re.IGNORECASE)
_CARD = re.compile(r"^(?:[-*+][ \t]+)?(?P<front>\S.*?)[ \t]*(?P<mark>:::?)[ \t]*(?P<back>\S.*)$")
_TURN = re.compile(r"^\?\??$")
_SCHEDULE = re.compile(r"<!--SR:.*?-->", re.DOTALL)
_ANSWERS = frozenset(("paragraph", "bullet_list", "ordered_list", "blockquote", "table", "fence"))
_LINES = frozenset(("paragraph", "bullet_list", "ordered_list"))


def question_pairs(cuts: Sequence[Cut]) -> Iterator[Pair]:
    """A line that ends with a question mark asks for the lines after it, or else for the block that follows."""
    for cut in cuts:
        structure = _structure(cut)
        for block, following in pairwise([*structure.blocks, None]):
            if block is None or block.kind != "paragraph":
                continue
            asked, _, rest = structure.text[block.start : block.end].strip().partition("\n")
            if not as_read(asked).endswith(QUESTION):
                continue
            if not rest and following is not None and following.kind in _ANSWERS:
                rest = structure.text[following.start : following.end]
            yield from _pair(cut, block, _unlabelled(as_read(asked)), _unlabelled(rest.strip()), "question")


def callout_pairs(cuts: Sequence[Cut]) -> Iterator[Pair]:
    """A callout's own title asks for what stands in it."""
    for cut in cuts:
        structure = _structure(cut)
        for block in structure.blocks:
            text = structure.text[block.start : block.end]
            if block.kind == "blockquote" and (found := _CALLOUT.match(text)):
                body = _QUOTE.sub("", text[found.end() :]).strip()
                title = as_read(found["title"])
                yield from _pair(cut, block, title and asked_for(title, cut.note.title), body, "callout")


def card_pairs(cuts: Sequence[Cut]) -> Iterator[Pair]:
    """A flashcard's front asks for its back: ``front::back``, or with a line ``?`` between them.

    ``:::`` and ``??`` ask both ways. Only in notes of a deck: elsewhere ``::`` belongs to Dataview's fields.
    """
    for cut in cuts:
        if not any(tag.casefold().split("/")[0] == DECK for tag in cut.note.tags):
            continue
        structure = _structure(cut)
        for block in structure.blocks:
            if block.kind not in _LINES:
                continue
            for front, back, both in _cards(_SCHEDULE.sub("", structure.text[block.start : block.end]).split("\n")):
                yield from _pair(cut, block, as_read(front), back, "card", fewest=1)
                if both:
                    yield from _pair(cut, block, as_read(back), front, "card", fewest=1)


def _cards(lines: Sequence[str]) -> Iterator[tuple[str, str, bool]]:
    """The cards of a block: front, back, and whether it is asked both ways."""
    stripped = [line.strip() for line in lines]
    turn = next((at for at, line in enumerate(stripped) if _TURN.match(line)), None)
    if turn is not None:
        front, back = "\n".join(stripped[:turn]).strip(), "\n".join(stripped[turn + 1 :]).strip()
        yield front, back, stripped[turn] == "??"
        return
    for line in stripped:
        if found := _CARD.match(line):
            yield found["front"], found["back"], found["mark"] == ":::"


def _pair(cut: Cut, block: Block, query: str, answer: str, kind: str, fewest: int = FEWEST_WORDS) -> Iterator[Pair]:
    chunk = _holding(cut.chunks, block.start)
    if chunk is not None and terms(query) and len(words(answer)) >= fewest:
        path = cut.note.path
        yield Pair(query, (answer,), kind, path, path, (chunk,), bare=True, quoted=True)


def _holding(chunks: Sequence[Chunk], place: int) -> Chunk | None:
    """The chunk that a place of the note's text lies in."""
    return next((chunk for chunk in chunks if chunk.span.start <= place < chunk.span.end), None)


def _structure(cut: Cut) -> Structure:
    return structure_of(cut.note.text, cut.note.parts)


def _unlabelled(text: str) -> str:
    """A question or an answer without the letter that says which of them it is."""
    return _LABEL.sub("", text)
