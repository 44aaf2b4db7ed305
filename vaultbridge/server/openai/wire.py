"""OpenAI's request bodies, and their translation into the house's words.

Unknown fields are ignored. Values that real clients send out of range are clamped; everything else is refused with
the field's name.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat

from vaultbridge.core.dialogue import Continuation, Conversation, Grammar, Message, Role, Sampling
from vaultbridge.core.errors import InvalidRequest
from vaultbridge.server.openai.options import VaultOptions

MOST_CHOICES = 8


def _clamped(low: float, high: float) -> BeforeValidator:
    def clamp(value: Any) -> Any:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return min(max(value, low), high) if is_number else value

    return BeforeValidator(clamp)


Temperature = Annotated[FiniteFloat, _clamped(0.0, 2.0)]
Probability = Annotated[FiniteFloat, _clamped(0.0, 1.0)]
Penalty = Annotated[FiniteFloat, _clamped(-2.0, 2.0)]
_AS_THEY_ARE = (
    *("temperature", "top_k", "top_p", "min_p", "typical_p", "seed", "n", "min_tokens", "ignore_eos"),
    *("presence_penalty", "frequency_penalty", "repeat_penalty"),
    *("dry_multiplier", "dry_base", "dry_allowed_length"),
)
"""The fields that are called the same inside."""
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


class JsonSchema(BaseModel):
    """OpenAI's wrapping of a schema; ``strict`` or not, it is kept to."""

    model_config = ConfigDict(extra="ignore")

    of: dict[str, Any] | None = Field(default=None, alias="schema")


class ResponseFormat(BaseModel):
    """The shape of the answer; beside ``json_object`` a schema may stand, as llama-server has it."""

    model_config = ConfigDict(extra="ignore")

    type: str = "text"
    json_schema: JsonSchema | None = None
    of: dict[str, Any] | None = Field(default=None, alias="schema")

    def to_grammar(self) -> Grammar | None:
        """The same in the house's words; None: any text. Raises InvalidRequest for shapes that are not known."""
        if self.type == "text":
            return None
        if self.type == "json_object":
            schema = self.of
        elif self.type == "json_schema" and self.json_schema is not None:
            schema = self.json_schema.of
        else:
            raise InvalidRequest(
                f"A response_format of type {self.type!r} is not supported as it stands.",
                'Send "text", "json_object", or "json_schema" with the field "json_schema".',
                param="response_format",
            )
        return Grammar("json_schema", json.dumps(schema or {"type": "object"}))


class SamplingBody(BaseModel):
    """The fields that chat and plain completions share, OpenAI's and llama-server's."""

    model_config = ConfigDict(extra="ignore")

    model: str = ""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Temperature | None = None
    top_p: Probability | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    min_p: Probability | None = None
    typical_p: Probability | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    repeat_penalty: Annotated[FiniteFloat, _clamped(0.1, 10.0)] | None = Field(
        default=None, validation_alias=AliasChoices("repeat_penalty", "repetition_penalty")
    )
    dry_multiplier: Annotated[FiniteFloat, _clamped(0.0, 10.0)] | None = None
    dry_base: Annotated[FiniteFloat, _clamped(1.0, 10.0)] | None = None
    dry_allowed_length: Annotated[int, Field(ge=0, le=1000)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    min_tokens: Annotated[int, Field(ge=0)] | None = None
    ignore_eos: bool | None = None
    n: Annotated[int, Field(ge=1, le=MOST_CHOICES)] | None = None
    seed: int | None = None
    stop: Stop | None = None
    logit_bias: dict[int, Annotated[FiniteFloat, _clamped(-100.0, 100.0)]] | None = None
    response_format: ResponseFormat | None = None
    grammar: str | None = None
    vaultbridge: VaultOptions | None = None

    def to_sampling(self, max_tokens: int | None, logprobs: int | None) -> Sampling:
        """How to sample; what the body leaves open keeps its default. Raises InvalidRequest for two forms at once."""
        given = {name: value for name in _AS_THEY_ARE if (value := getattr(self, name)) is not None}
        grammar = self.response_format.to_grammar() if self.response_format else None
        if self.grammar:
            if grammar is not None:
                raise InvalidRequest("An answer has one form.", "Send grammar or response_format.", param="grammar")
            grammar = Grammar("gbnf", self.grammar)
        return Sampling(
            **given,
            stop=tuple(self.stop or ()),
            logit_bias=tuple((self.logit_bias or {}).items()),
            max_tokens=max_tokens,
            logprobs=logprobs,
            grammar=grammar,
        )

    @property
    def wants_usage(self) -> bool:
        """Whether a stream shall end with a usage chunk."""
        return self.stream_options is not None and self.stream_options.include_usage


class ChatBody(SamplingBody):
    """The body of ``POST /v1/chat/completions``."""

    messages: Annotated[list[WireMessage], Field(min_length=1)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None

    def to_conversation(self) -> Conversation:
        """The messages in the house's words."""
        return Conversation(tuple(message.to_message(index) for index, message in enumerate(self.messages)))

    def sampling(self) -> Sampling:
        """How to sample; ``max_completion_tokens`` is the newer name of ``max_tokens``."""
        if self.top_logprobs and not self.logprobs:
            raise InvalidRequest("top_logprobs come with logprobs only.", "Set logprobs to true.", param="top_logprobs")
        return self.to_sampling(
            self.max_completion_tokens or self.max_tokens, (self.top_logprobs or 0) if self.logprobs else None
        )


class CompletionBody(SamplingBody):
    """The body of ``POST /v1/completions``."""

    prompt: str | list[str]
    logprobs: Annotated[
        int | None, Field(ge=0, le=5), BeforeValidator(lambda value: None if value is False else value)
    ] = None

    def to_continuation(self) -> Continuation:
        """The prompt in the house's words."""
        if isinstance(self.prompt, str):
            return Continuation(self.prompt)
        if len(self.prompt) != 1:
            raise InvalidRequest("Only one prompt can be completed in a request.", param="prompt")
        return Continuation(self.prompt[0])

    def sampling(self) -> Sampling:
        """How to sample; sixteen tokens if nothing is said, as OpenAI has it."""
        return self.to_sampling(self.max_tokens or 16, self.logprobs)


class EmbeddingsBody(BaseModel):
    """The body of ``POST /v1/embeddings``."""

    model_config = ConfigDict(extra="ignore")

    model: str = ""
    input: str | Annotated[list[str], Field(min_length=1, max_length=2048)]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1)] | None = None
    input_type: Literal["query", "document"] = "document"
