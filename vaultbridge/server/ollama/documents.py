"""Ollama's documents: what stands in each line of an answer; chat and generate differ only in where the text stands."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Literal, cast

from typing_extensions import NotRequired, TypedDict

from vaultbridge.chat.service import Sources
from vaultbridge.core.dialogue import Finished, TokenLogprob
from vaultbridge.server.likelihoods import ChosenLikelihood, likelihoods
from vaultbridge.server.views import AnswerView, ended_view


class CallDetails(TypedDict):
    """What is called, and with what."""

    index: int
    name: str
    arguments: dict[str, Any]


class CallView(TypedDict):
    """A whole call of a tool."""

    id: str
    function: CallDetails


class SaidMessage(TypedDict):
    """A stretch of the assistant's turn, or all of it."""

    role: Literal["assistant"]
    content: str
    thinking: NotRequired[str]
    tool_calls: NotRequired[list[CallView]]


class AnswerLine(TypedDict):
    """What every document of an answer has; the last one is ``done`` and has the counts, and durations in ns."""

    model: str
    created_at: str
    done: bool
    done_reason: NotRequired[Literal["stop", "length", "load", "unload"]]
    total_duration: NotRequired[int]
    load_duration: NotRequired[int]
    prompt_eval_count: NotRequired[int]
    prompt_eval_duration: NotRequired[int]
    eval_count: NotRequired[int]
    eval_duration: NotRequired[int]
    logprobs: NotRequired[list[ChosenLikelihood]]
    vaultbridge: NotRequired[AnswerView]


class ChatLine(AnswerLine):
    """A document of ``/api/chat``."""

    message: SaidMessage


class GenerateLine(AnswerLine):
    """A document of ``/api/generate``."""

    response: str
    thinking: NotRequired[str]


Line = ChatLine | GenerateLine


@dataclass(slots=True)
class Said:
    """A stretch of an answer, or all of it as far as it is known."""

    text: str = ""
    thinking: str = ""
    calls: list[CallView] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)

    def add(self, more: Said) -> None:
        """Go on with ``more``."""
        self.text += more.text
        self.thinking += more.thinking
        self.calls += more.calls
        self.logprobs += more.logprobs


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended, and what it rests on."""

    finished: Finished
    sources: Sources


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every document of one answer shares. ``chat`` is False for generate; ``thinks``: thoughts are shown."""

    model: str
    chat: bool
    thinks: bool = True
    began: float = field(default_factory=time.monotonic)

    def line(self, said: Said) -> Line:
        """A document in the middle of a stream."""
        now = datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")
        thinking = {"thinking": said.thinking} if said.thinking else {}
        line: dict[str, Any] = {"model": self.model, "created_at": now}
        if self.chat:
            calls = {"tool_calls": said.calls} if said.calls else {}
            line["message"] = {"role": "assistant", "content": said.text, **thinking, **calls}
        else:
            line |= {"response": said.text, **thinking}
        line["done"] = False
        if said.logprobs:
            line["logprobs"] = likelihoods(said.logprobs)
        return cast(Line, line)

    def last(self, said: Said, ending: Ending) -> Line:
        """The document that ends an answer."""
        finished = ending.finished
        line = self.line(said)
        line["done"] = True
        line["done_reason"] = "length" if finished.reason == "length" else "stop"
        line["total_duration"] = int((time.monotonic() - self.began) * 1e9)
        line["load_duration"] = int(finished.timings.queue_ms * 1e6)
        line["prompt_eval_count"] = finished.usage.prompt_tokens
        line["prompt_eval_duration"] = int(finished.timings.prefill_ms * 1e6)
        line["eval_count"] = finished.usage.completion_tokens
        line["eval_duration"] = int(finished.timings.decode_ms * 1e6)
        line["vaultbridge"] = ended_view(ending.sources, finished.timings)
        return line

    def moved(self, reason: Literal["load", "unload"]) -> Line:
        """The answer to a request without a question, which only moves the model."""
        line = self.line(Said())
        line["done"] = True
        line["done_reason"] = reason
        return line
