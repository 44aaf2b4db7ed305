"""Whether answers are true: questions whose answer stands in a note, asked with that note and without it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from vaultbridge.chat.events import Grounding, Sources
from vaultbridge.chat.format import Format
from vaultbridge.chat.language import LANGUAGES, phrases
from vaultbridge.chat.sentences import sentences
from vaultbridge.chat.service import ChatService, Request
from vaultbridge.chat.support import MARKED, Support
from vaultbridge.core.dialogue import Conversation, Failed, Finished, Message, Piece, Sampling
from vaultbridge.core.search import Citation, Scope
from vaultbridge.lab.cases import Case
from vaultbridge.lab.measures import interval
from vaultbridge.retrieve.relevance import terms
from vaultbridge.vault.measure import WIDE

_MARK = re.compile(r" ?\[\d{1,3}\]")
_REFUSALS = re.compile(
    r"\b(?:do(?:es)?|did|is|are|was|were|can|could|have|has|will)(?: not|n['’]t)\b.{0,40}"
    r"\b(?:say|state|mention|specif|contain|provid|includ|answer|know|determin|hold|giv|available|found|clear|tell)"
    r"|\b(?:no|any) (?:information|mention|answer|note)|\b(?:un(?:able|known)|cannot|can't|sorry)\b"
    r"|没有?(?:明确)?(?:提到|提及|说明|相关|答案|找到|给出|记载)|未(?:提到|提及|说明|找到|给出)|无法|不知道|不清楚|抱歉",
    re.IGNORECASE,
)
_PUNCTUATION = re.compile(r"[\W_]+")
_WIDE = re.compile(f"[{WIDE}]")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


@dataclass(frozen=True, slots=True)
class Task:
    """A question, and the words of which its answer holds one."""

    case: Case
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer as it was given: the notes shown, those named as its sources, and what it took."""

    text: str
    shown: tuple[Citation, ...]
    used: tuple[Citation, ...]
    prompt_tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of an answer.

    ``contained``: it has the words that answer. ``refused``: it says that the notes do not. ``invented``: it does not
    refuse, and the notes that it was shown hold less than ``MARKED`` of one of its sentences. ``language`` None: it has
    no letters. ``claims`` are its sentences with a word to look up, ``supported`` those of them that a note holds.
    ``gold_shown`` and ``gold_cited``: the note that answers is in the prompt, and named as a source.
    """

    contained: bool
    refused: bool
    invented: bool
    language: bool | None
    claims: int
    supported: int
    gold_shown: bool
    gold_cited: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """A question's answers with the note that answers it, and without."""

    task: Task
    given: Answered
    given_verdict: Verdict
    without: Answered
    without_verdict: Verdict


async def examine(
    chat: ChatService,
    tasks: Sequence[Task],
    form: Format | None,
    k: int,
    max_tokens: int,
    seen: Callable[[], object],
) -> list[Outcome]:
    """Ask each question twice, at temperature 0, of the vault alone; ``seen`` hears of each."""
    outcomes: list[Outcome] = []
    for task in tasks:
        conversation = Conversation((Message("user", (task.case.text,)),))
        sampling = Sampling(temperature=0.0, max_tokens=max_tokens)
        request = Request(conversation, sampling, "always", k=k, format=form)
        given = await _ask(chat, request)
        without = await _ask(chat, replace(request, scope=Scope(exclude=tuple(task.case.relevant))))
        outcomes.append(Outcome(task, given, judge(task, given), without, judge(task, without)))
        seen()
    return outcomes


async def _ask(chat: ChatService, request: Request) -> Answered:
    began = perf_counter()
    text: list[str] = []
    shown: tuple[Citation, ...] = ()
    used: tuple[Citation, ...] = ()
    tokens = 0
    async with aclosing(chat.answer(request)) as events:
        async for event in events:
            if isinstance(event, Grounding):
                shown = event.citations
            elif isinstance(event, Piece):
                text.append(event.text)
            elif isinstance(event, Sources):
                used = event.used
            elif isinstance(event, Finished):
                tokens = event.usage.prompt_tokens
            elif isinstance(event, Failed):
                raise event.error
    return Answered("".join(text), shown, used, tokens, perf_counter() - began)


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Shares of the answers, 0 to 1, the first two with 95 % intervals; prompt tokens and seconds of one answer."""
    given = [outcome.given_verdict for outcome in outcomes]
    without = [outcome.without_verdict for outcome in outcomes]
    both = [*given, *without]
    answered = [answer for outcome in outcomes for answer in (outcome.given, outcome.without)]
    said = [verdict.language for verdict in both if verdict.language is not None]
    return {
        "contained": asdict(interval(np.array([verdict.contained for verdict in given], float))),
        "invented_without": asdict(interval(np.array([verdict.invented for verdict in without], float))),
        "invented": _share(verdict.invented for verdict in given),
        "refused": _share(verdict.refused for verdict in given),
        "refused_without": _share(verdict.refused for verdict in without),
        "silent": _share(not answer.text.strip() for answer in answered),
        "language": _share(said),
        "claims_supported": sum(v.supported for v in both) / max(1, sum(v.claims for v in both)),
        "gold_shown": _share(verdict.gold_shown for verdict in given),
        "gold_cited": _share(verdict.gold_cited for verdict in given),
        "sourced_without": _share(bool(outcome.without.used) for outcome in outcomes),
        "prompt_tokens": sum(answer.prompt_tokens for answer in answered) / max(1, len(answered)),
        "seconds": sum(answer.seconds for answer in answered) / max(1, len(answered)),
    }


def _share(of: Iterable[bool]) -> float:
    values = list(of)
    return sum(values) / max(1, len(values))


def judge(task: Task, answered: Answered) -> Verdict:
    """Judge one answer."""
    said = _MARK.sub("", answered.text)
    refused = bool(_REFUSALS.search(said)) or any(words.nothing in said for words in LANGUAGES)
    support = Support(answered.shown)
    claims = [sentence for sentence in sentences(said) if terms(sentence)]
    held = [max(support.of(claim).values(), default=0.0) >= MARKED for claim in claims]
    gold = set(task.case.relevant)
    return Verdict(
        contained=any(_holds(said, answer) for answer in task.answers),
        refused=refused,
        invented=not refused and not all(held),
        language=phrases(said) is phrases(task.case.text) if any(map(str.isalpha, said)) else None,
        claims=len(claims),
        supported=sum(held),
        gold_shown=any(citation.path in gold for citation in answered.shown),
        gold_cited=any(citation.path in gold for citation in answered.used),
    )


def _holds(text: str, answer: str) -> bool:
    """As SQuAD compares answers, without case, punctuation and articles; by whole words where words have spaces."""
    text, answer = _plain(text), _plain(answer)
    if _WIDE.search(answer):
        return answer.replace(" ", "") in text.replace(" ", "")
    return f" {answer} " in f" {text} "


def _plain(text: str) -> str:
    text = _PUNCTUATION.sub(" ", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(_ARTICLES.sub(" ", text).split())
