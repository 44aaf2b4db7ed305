"""OpenAI's request bodies, and their translation into the house's words.

Unknown fields are ignored. Values that real clients send out of range are clamped; everything else is refused with
the field's name.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat

from vaultbridge.core.dialogue import Continuation, Conversation, Message, Role, Sampling
from vaultbridge.core.errors import InvalidRequest
from vaultbridge.server.openai.options import VaultOptions


def _clamped(low: float, high: float) -> BeforeValidator:
    def clamp(value: Any) -> Any:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return min(max(value, low), high) if is_number else value

    return BeforeValidator(clamp)


Temperature = Annotated[FiniteFloat, _clamped(0.0, 2.0)]
Probability = Annotated[FiniteFloat, _clamped(0.0, 1.0)]
Penalty = Annotated[FiniteFloat, _clamped(-2.0, 2.0)]
Stop = Annotated[
    list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value), Field(max_length=16)
]


class ContentPart(BaseModel):
    """A piece of a message's content; only text can be read here."""

    model_config = ConfigDict(extra="ignore")

    type: str
    text: str | None = None


class WireMessage(BaseModel):
    """A message as clients send it."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None
    name: str | None = None
    tool_call_id: str | None = None

    def to_message(self, index: int) -> Message:
        """The same in the house's words. Raises InvalidRequest for content that is not text."""
        role: Role = "system" if self.role == "developer" else "tool" if self.role == "function" else self.role
        if isinstance(self.content, list):
            for part in self.content:
                if part.text is None:
                    raise InvalidRequest(
                        f"The model cannot read a part of type {part.type!r}.",
                        "Send text parts only.",
                        param=f"messages.{index}.content",
                    )
            parts = tuple(part.text or "" for part in self.content)
        else:
            parts = (self.content or "",)
        return Message(role, parts, name=self.name or "", tool_call_id=self.tool_call_id or "")


class StreamOptions(BaseModel):
    """What a stream holds beside text."""

    model_config = ConfigDict(extra="ignore")

    include_usage: bool = False


class ResponseFormat(BaseModel):
    """The shape of the answer."""

    model_config = ConfigDict(extra="ignore")

    type: str = "text"


class SamplingBody(BaseModel):
    """The fields that chat and plain completions share."""

    model_config = ConfigDict(extra="ignore")

    model: str = ""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Temperature | None = None
    top_p: Probability | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    min_p: Probability | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    n: Annotated[int, Field(ge=1)] | None = None
    seed: int | None = None
    stop: Stop | None = None
    vaultbridge: VaultOptions | None = None

    def to_sampling(self, max_tokens: int | None) -> Sampling:
        """How to sample; what the body leaves open keeps its default. Raises InvalidRequest for n > 1."""
        if self.n is not None and self.n > 1:
            raise InvalidRequest("Only one choice can be generated for a request.", "Leave out n.", param="n")
        given = {
            name: value
            for name in ("temperature", "top_k", "top_p", "min_p", "presence_penalty", "frequency_penalty", "seed")
            if (value := getattr(self, name)) is not None
        }
        return Sampling(**given, stop=tuple(self.stop or ()), max_tokens=max_tokens)

    @property
    def wants_usage(self) -> bool:
        """Whether a stream shall end with a usage chunk."""
        return self.stream_options is not None and self.stream_options.include_usage


class ChatBody(SamplingBody):
    """The body of ``POST /v1/chat/completions``."""

    messages: Annotated[list[WireMessage], Field(min_length=1)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    response_format: ResponseFormat | None = None

    def to_conversation(self) -> Conversation:
        """The messages in the house's words."""
        if self.response_format is not None and self.response_format.type != "text":
            raise InvalidRequest(
                f"Answers of type {self.response_format.type!r} are not supported.",
                "Ask for the format in the prompt, or leave out response_format.",
                param="response_format",
            )
        return Conversation(tuple(message.to_message(index) for index, message in enumerate(self.messages)))

    def sampling(self) -> Sampling:
        """How to sample; ``max_completion_tokens`` is the newer name of ``max_tokens``."""
        return self.to_sampling(self.max_completion_tokens or self.max_tokens)


class CompletionBody(SamplingBody):
    """The body of ``POST /v1/completions``."""

    prompt: str | list[str]

    def to_continuation(self) -> Continuation:
        """The prompt in the house's words."""
        if isinstance(self.prompt, str):
            return Continuation(self.prompt)
        if len(self.prompt) != 1:
            raise InvalidRequest("Only one prompt can be completed in a request.", param="prompt")
        return Continuation(self.prompt[0])

    def sampling(self) -> Sampling:
        """How to sample; sixteen tokens if nothing is said, as OpenAI has it."""
        return self.to_sampling(self.max_tokens or 16)


class EmbeddingsBody(BaseModel):
    """The body of ``POST /v1/embeddings``."""

    model_config = ConfigDict(extra="ignore")

    model: str = ""
    input: str | Annotated[list[str], Field(min_length=1, max_length=2048)]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1)] | None = None
    input_type: Literal["query", "document"] = "document"
