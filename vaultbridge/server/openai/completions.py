"""Plain completions: what is asked and what comes back."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field
from typing_extensions import NotRequired, TypedDict

from vaultbridge.core.dialogue import Continuation, FinishReason, Piece, Sampling
from vaultbridge.core.errors import InvalidRequest
from vaultbridge.server.errors import ErrorView, error_view
from vaultbridge.server.openai.answer import Choice
from vaultbridge.server.openai.fields import Limit
from vaultbridge.server.openai.logprobs import PlainLogprobs, plain_logprobs
from vaultbridge.server.openai.sampling import ChoicesBody
from vaultbridge.server.openai.usage import UsageView
from vaultbridge.server.views import AnswerView


class CompletionBody(ChoicesBody):
    """A text to be continued, up to ``suffix`` if there is one. Sixteen tokens if nothing is said, as OpenAI has it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"prompt": "The tomatoes are watered", "max_tokens": 16}]}
    )

    prompt: str | list[str]
    suffix: str | None = None
    echo: bool | None = None
    best_of: int | None = None
    max_tokens: Limit = 16
    logprobs: Annotated[
        Annotated[int, Field(ge=0, le=5)] | None, BeforeValidator(lambda value: None if value is False else value)
    ] = None

    def to_continuation(self) -> Continuation:
        """The prompt in the house's words. Raises InvalidRequest."""
        prompts = [self.prompt] if isinstance(self.prompt, str) else self.prompt
        if len(prompts) != 1:
            raise InvalidRequest("One prompt is completed in a request.", "Send one after the other.", param="prompt")
        return Continuation(prompts[0], self.suffix or "")

    def sampling(self) -> Sampling:
        """How to sample. Raises InvalidRequest."""
        if self.best_of is not None and self.best_of != (self.n or 1):
            raise InvalidRequest("Every answer is given back.", "Leave best_of out, or set it to n.", param="best_of")
        if self.echo and self.logprobs is not None:
            raise InvalidRequest("A prompt that is echoed has no logprobs.", "Leave one of them out.", param="echo")
        return self.to_sampling(self.form, self.max_tokens, self.logprobs, self.n or 1)

    @property
    def echoed(self) -> str:
        """What stands in front of the answer."""
        return self.to_continuation().text if self.echo else ""


class CompletionChoiceView(TypedDict):
    """One of the answers."""

    index: int
    text: str
    logprobs: PlainLogprobs | None
    finish_reason: FinishReason


class CompletionView(TypedDict):
    """A continuation that is not streamed."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[CompletionChoiceView]
    usage: UsageView
    vaultbridge: AnswerView


class CompletionChunkChoice(TypedDict):
    """More of one of the answers."""

    index: int
    text: str
    logprobs: PlainLogprobs | None
    finish_reason: FinishReason | None


class CompletionChunk(TypedDict):
    """An event of a streamed continuation. ``choices`` are empty in the chunk with the usage and in no other."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[CompletionChunkChoice]
    usage: NotRequired[UsageView]
    vaultbridge: NotRequired[AnswerView]
    error: NotRequired[ErrorView]


@dataclass(frozen=True, slots=True)
class CompletionEnvelope:
    """Implements ``answer.Envelope``; ``echo`` stands in front of each text."""

    model: str
    echo: str = ""
    id: str = field(default_factory=lambda: f"cmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def opening(self, index: int, ours: AnswerView | None) -> CompletionChunk:
        """What is echoed."""
        chunk = self._chunk(self.echo, index)
        if ours is not None:
            chunk["vaultbridge"] = ours
        return chunk

    def said(self, piece: Piece, choice: Choice) -> Iterator[CompletionChunk]:
        """Text; nothing else is in a continuation."""
        if piece.kind == "answer":
            yield self._chunk(piece.text, piece.choice, logprobs=plain_logprobs(piece.logprobs, len(choice.text)))

    def closing(self, index: int, reason: FinishReason, ours: AnswerView) -> CompletionChunk:
        """Why it ended."""
        chunk = self._chunk("", index, reason)
        chunk["vaultbridge"] = ours
        return chunk

    def failure(self, index: int, error: Exception) -> CompletionChunk:
        """An end beside the error."""
        chunk = self._chunk("", index, "stop")
        chunk["error"] = error_view(error)
        return chunk

    def counts(self, usage: UsageView) -> CompletionChunk:
        """A chunk without choices."""
        return {**self._chunk("", 0), "choices": [], "usage": usage}

    def quiet(self) -> CompletionChunk:
        """A chunk that says nothing."""
        return self._chunk("", 0)

    def whole(self, choices: Sequence[Choice], usage: UsageView, ours: AnswerView) -> CompletionView:
        """The body."""
        return {
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.model,
            "choices": [
                {
                    "index": choice.index,
                    "text": self.echo + choice.text,
                    "logprobs": plain_logprobs(choice.logprobs, 0),
                    "finish_reason": choice.reason,
                }
                for choice in choices
            ],
            "usage": usage,
            "vaultbridge": ours,
        }

    def _chunk(
        self, text: str, index: int, reason: FinishReason | None = None, logprobs: PlainLogprobs | None = None
    ) -> CompletionChunk:
        return {
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.model,
            "choices": [{"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason}],
        }
