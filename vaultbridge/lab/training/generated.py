"""Questions that a language model asks of passages, each checked by finding its passage with it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from random import Random

from vaultbridge.chat.frame import framed
from vaultbridge.chat.hygiene.opening import OpeningFilter
from vaultbridge.chat.hygiene.preamble import preamble
from vaultbridge.chat.hygiene.thinking import ThinkingFilter
from vaultbridge.chat.language import CHINESE, ENGLISH, JAPANESE, KOREAN, Phrases, phrases
from vaultbridge.chat.sentences import sentences
from vaultbridge.chat.stream import Chain
from vaultbridge.core.dialogue import (
    Conversation,
    Failed,
    GroundedPrompt,
    Message,
    NoteBlock,
    Piece,
    PromptNote,
    Sampling,
    Started,
)
from vaultbridge.core.errors import ConfigError, EmbedFailed
from vaultbridge.core.notes import Chunk
from vaultbridge.core.ports import Permit
from vaultbridge.core.search import Query
from vaultbridge.lab.cases import as_read
from vaultbridge.lab.training.making import Draft
from vaultbridge.lab.training.near import NEAR, SHINGLE, Shelf, shingles, words
from vaultbridge.lab.training.pairs import FEWEST_WORDS, QUESTION, Cut, Pair, passage_of
from vaultbridge.retrieve.relevance import terms
from vaultbridge.retrieve.retriever import Retriever

FOUND_AMONG = 3
"""A question is kept if its passage is among so many best hits: round-trip consistency (Alberti et al., ACL 2019).

Promptagator (Dai et al., ICLR 2023) asks for the first place. Here the index that checks is the one that shall learn:
what it finds first it knows already. Further down stand the questions that any of many passages answers.
"""
MOST_TOKENS = 64
"""Of what the model says."""

# A Japanese question needs no mark.
_ASKS = (*QUESTION, "か。")
_QUOTES = "\"'“”„‘’«»「」『』 "
_LABEL = re.compile(r"\A[^?？]{0,80}?(?:\bq|question|问题?|質問|질문)[\s\d]*[:：]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the model is told, and what it is asked for behind the passage."""

    instructions: str
    closing: str


_WISHES: Mapping[Phrases, _Wish] = {
    ENGLISH: _Wish(
        "You write one short question that a note answers, and nothing else. The question names what it is about. It "
        "is in the language of the note.",
        "Write one short question that this note answers. End it with a question mark.",
    ),
    CHINESE: _Wish(
        "你写一个笔记能够回答的简短问题，不写别的。问题要点明问的是什么。请用中文写。",
        "请用中文写一个这条笔记能够回答的简短问题，以问号结尾。",
    ),
    JAPANESE: _Wish(
        "ノートが答えになる短い質問を一つだけ書きます。何についての質問かを書いてください。日本語で書いてください。",
        "このノートが答えになる短い質問を一つ、日本語で書いてください。",
    ),
    KOREAN: _Wish(
        "노트가 답이 되는 짧은 질문 하나만 씁니다. 무엇에 대한 질문인지 밝히세요. 한국어로 쓰세요.",
        "이 노트가 답이 되는 짧은 질문을 하나 한국어로 쓰세요. 물음표로 끝내세요.",
    ),
}


async def ready(model: Permit) -> None:
    """Wait until the model is loaded. Raises what keeps it from being so, and ConfigError for a base model."""
    if not (info := await model.info()).chat:
        raise ConfigError(
            f"{info.name} is a base model: it goes on with a text and asks no questions.", "Pass --model NAME."
        )


async def with_questions(
    draft: Draft,
    model: Permit,
    retriever: Retriever,
    count: int,
    seed: int,
    progress: Callable[[int, int], None],
) -> tuple[Draft, dict[str, int]]:
    """The draft with a question for each of ``count`` passages, as far as they are good ones.

    Each stands on the side of its note. The figures say how many were ``asked`` for and ``kept``, and how many were
    dropped for what reason. ``progress`` hears how many of how many passages are done. Raises EmbedFailed if the
    embedder does not answer, and what keeps the model from answering.
    """
    sides = {cut.note.path: split for split, cuts in draft.cuts.items() for cut in cuts}
    pairs = {split: list(several) for split, several in draft.pairs.items()}
    shelf: Shelf[str] = Shelf()
    for pair in chain.from_iterable(pairs.values()):
        shelf.add(pair.query, shingles(pair.query))
    chunks = drawn(list(chain.from_iterable(draft.cuts.values())), count, seed)
    figures = Counter({"asked": 0, "kept": 0, "no question": 0, "quoted": 0, "near-duplicates": 0, "not found": 0})
    for chunk in chunks:
        question = question_in(await _said(model, chunk))
        asked = shingles(question)
        if not terms(question):
            outcome = "no question"
        elif is_quoted(question, chunk.embedded):
            outcome = "quoted"
        elif shelf.near(asked):
            outcome = "near-duplicates"
        elif not await _finds(retriever, question, chunk):
            outcome = "not found"
        else:
            outcome = "kept"
            shelf.add(question, asked)
            texts = (passage_of(chunk).embedded,)
            pairs[sides[chunk.note]].append(Pair(question, texts, "generated", chunk.note, chunk.note, (chunk,)))
        figures.update(("asked", outcome))
        progress(figures["asked"], len(chunks))
    return replace(draft, pairs=pairs), dict(figures)


def drawn(cuts: Sequence[Cut], count: int, seed: int) -> list[Chunk]:
    """At most ``count`` chunks with something to ask about, by chance and evenly: of each note one, then a second."""
    chance = Random(seed)
    hands: list[list[Chunk]] = []
    for cut in sorted(cuts, key=lambda cut: cut.note.path):
        telling = [chunk for chunk in cut.chunks if len(words(passage_of(chunk).bare)) >= FEWEST_WORDS]
        hands.append(chance.sample(telling, len(telling)))
    chance.shuffle(hands)
    rounds: Iterable[Chunk | None] = chain.from_iterable(zip_longest(*hands))
    return [chunk for chunk in rounds if chunk is not None][:count]


def question_in(answer: str) -> str:
    """The first question in what a model said, as it is read, without quotes and labels; empty if there is none."""
    cleaning = Chain(ThinkingFilter(), OpeningFilter(preamble))
    text = cleaning.push(answer) + cleaning.finish()
    read = (_LABEL.sub("", as_read(sentence)).strip(_QUOTES) for sentence in sentences(text))
    return next((sentence for sentence in read if sentence.endswith(_ASKS)), "")


def is_quoted(question: str, passage: str) -> bool:
    """Whether a question stands nearly to the letter in a passage: ``NEAR`` of its runs of words do."""
    asked, said = words(question), words(passage)
    size = min(SHINGLE, len(asked))
    there = {tuple(said[at : at + size]) for at in range(len(said))}
    runs = [tuple(asked[at : at + size]) for at in range(len(asked) - size + 1)]
    return sum(run in there for run in runs) >= NEAR * len(runs)


async def _said(model: Permit, chunk: Chunk) -> str:
    """What the model says to a passage, without its thoughts; nothing if it has no room for the passage."""
    language = phrases(chunk.text)
    wish = _WISHES[language]
    # A small model only knows what to do once it has seen it done.
    _, shown, asked, *_ = language.example.split("\n\n")
    conversation = (
        Message("user", (f"{language.opening}\n\n{shown}", wish.closing)),
        Message("assistant", (asked.removeprefix("Question: "),)),
        Message("user", (wish.closing,)),
    )
    note = PromptNote(1, framed(0, chunk.context, chunk.text), chunk.note)
    block = NoteBlock((note,), language.opening)
    prompt = GroundedPrompt(Conversation(conversation), block, instructions=wish.instructions)
    said: list[str] = []
    async with aclosing(model.stream(prompt, Sampling(temperature=0.0, max_tokens=MOST_TOKENS))) as events:
        async for event in events:
            if isinstance(event, Started) and not event.kept:
                break
            if isinstance(event, Piece) and event.kind == "answer":
                said.append(event.text)
            elif isinstance(event, Failed):
                raise event.error
    return "".join(said)


async def _finds(retriever: Retriever, question: str, chunk: Chunk) -> bool:
    """Whether the index finds a chunk, of all that it has, with a question."""
    found = await retriever.search(Query(question, limit=FOUND_AMONG))
    if found.degraded:
        raise EmbedFailed(f"The search did not answer: {', '.join(found.degraded.values())}.", "Try again.")
    return any(hit.chunk.key == chunk.key for hit in found.hits)
