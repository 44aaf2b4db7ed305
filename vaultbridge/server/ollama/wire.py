"""Ollama's request bodies, and their translation into the house's words.

Unknown fields are ignored, and so is what belongs to a model that is loaded already (``num_ctx``, ``template``, …).
"""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from vaultbridge.core.dialogue import Continuation, Conversation, Grammar, Message, Prompt, Sampling, Tool
from vaultbridge.core.errors import InvalidRequest
from vaultbridge.server.bounds import (
    MOST_TOKENS,
    Count,
    JsonObject,
    KeepingBody,
    Penalty,
    Probability,
    RepeatPenalty,
    Stop,
    Temperature,
)
from vaultbridge.server.ollama.messages import ChatMessage, no_images, to_messages
from vaultbridge.server.options import VaultOptions

LATEST = ":latest"

_CUT = BeforeValidator(lambda value: int(value) if isinstance(value, float) and math.isfinite(value) else value)
Whole = Annotated[int, _CUT]
"""A number without a fraction; Ollama cuts one off."""


class _Request(KeepingBody):
    model_config = ConfigDict(extra="ignore")

    model: str = ""

    @property
    def id(self) -> str:
        """The model as it is called here: ``x:latest`` is ``x``."""
        return self.model.removesuffix(LATEST)


class Options(BaseModel):
    """How to sample. What is called the same inside keeps its name; ``seed`` -1 is any, ``num_predict`` below 1 no
    limit of the client's."""

    model_config = ConfigDict(extra="ignore")

    temperature: Temperature | None = None
    top_k: Annotated[Count, _CUT] | None = None
    top_p: Probability | None = None
    min_p: Probability | None = None
    typical_p: Probability | None = None
    repeat_penalty: RepeatPenalty | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    stop: Stop | None = None
    seed: Whole | None = None
    num_predict: Whole | None = None

    def to_sampling(self, grammar: Grammar | None, logprobs: int | None) -> Sampling:
        """The same in the house's words; what is not said keeps its default."""
        given = self.model_dump(exclude_none=True, exclude={"stop", "seed", "num_predict"})
        return Sampling(
            **given,
            stop=tuple(self.stop or ()),
            seed=self.seed if self.seed is not None and self.seed >= 0 else None,
            max_tokens=min(self.num_predict, MOST_TOKENS) if self.num_predict and self.num_predict > 0 else None,
            grammar=grammar,
            logprobs=logprobs,
        )


class AnswerRequest(_Request):
    """What chat and generate share; ``stream`` is on unless it is switched off."""

    stream: bool | None = None
    format: Literal["", "json"] | JsonObject | None = None
    think: bool | Literal["low", "medium", "high", "max"] | None = None
    options: Options | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    vaultbridge: VaultOptions | None = None

    @property
    def streams(self) -> bool:
        """Whether the answer comes in pieces."""
        return self.stream is not False

    @property
    def thinks(self) -> bool:
        """Whether the client wants to see what the model thinks."""
        return self.think is not False

    def sampling(self) -> Sampling:
        """How to sample, and the form of the answer."""
        schema = {"type": "object"} if self.format == "json" else self.format or None
        grammar = Grammar("json_schema", json.dumps(schema)) if schema else None
        return (self.options or Options()).to_sampling(grammar, (self.top_logprobs or 0) if self.logprobs else None)

    def template_options(self) -> dict[str, Any]:
        """What chat templates call the wish to think."""
        if self.think is None:
            return {}
        effort = {"reasoning_effort": self.think} if isinstance(self.think, str) else {}
        return {"enable_thinking": self.thinks, **effort}


class WireFunction(BaseModel):
    """A tool's name, purpose and parameters, a JSON schema."""

    model_config = ConfigDict(extra="ignore")

    name: str
    description: str | None = None
    parameters: JsonObject | None = None


class WireTool(BaseModel):
    """A function that the client runs."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["function"] | None = None
    function: WireFunction

    def to_tool(self) -> Tool:
        """The same in the house's words."""
        return Tool(self.function.name, self.function.description or "", self.function.parameters or {})


class ChatRequest(AnswerRequest):
    """The body of ``POST /api/chat``; without messages it asks for the model to be loaded."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"model": "any", "messages": [{"role": "user", "content": "When do I water the tomatoes?"}]}
        }
    )

    messages: list[ChatMessage] | None = None
    tools: list[WireTool] | None = None

    def to_prompt(self) -> Prompt | None:
        """The conversation; None: only load the model. Raises InvalidRequest for images."""
        if not self.messages:
            return None
        return Conversation(
            to_messages(self.messages),
            tools=tuple(tool.to_tool() for tool in self.tools or ()),
            template_options=self.template_options(),
        )


class GenerateRequest(AnswerRequest):
    """The body of ``POST /api/generate``; without a prompt it asks for the model to be loaded.

    With ``raw`` or a ``suffix`` the prompt is text to be continued, otherwise it is a question.
    """

    model_config = ConfigDict(
        json_schema_extra={"example": {"model": "any", "prompt": "When do I water the tomatoes?", "stream": False}}
    )

    prompt: str | None = None
    suffix: str | None = None
    system: str | None = None
    raw: bool | None = None
    images: list[Any] | None = None

    def to_prompt(self) -> Prompt | None:
        """The prompt; None: only load the model. Raises InvalidRequest for images, and for a system text with raw."""
        no_images(self.images, "images")
        if not self.prompt:
            return None
        if self.raw and self.system:
            raise InvalidRequest("A raw prompt has no system text.", "Put it into the prompt.", param="system")
        if self.raw or self.suffix:
            return Continuation(self.prompt, self.suffix or "")
        system = (Message("system", (self.system,)),) if self.system else ()
        return Conversation((*system, Message("user", (self.prompt,))), template_options=self.template_options())


class EmbedRequest(_Request):
    """The body of ``POST /api/embed``. ``truncate`` false refuses what is too long for the embedder."""

    model_config = ConfigDict(json_schema_extra={"example": {"model": "any", "input": ["tomatoes", "bees"]}})

    input: str | list[str] | None = None
    truncate: bool | None = None
    dimensions: Annotated[int, Field(ge=0)] | None = None

    @property
    def texts(self) -> list[str]:
        """What is to be embedded; an empty text alone is none."""
        return [self.input] if isinstance(self.input, str) and self.input else list(self.input or ())


class EmbeddingRequest(_Request):
    """The body of ``POST /api/embeddings``, the older form of embed."""

    prompt: str | None = None


class ShowRequest(_Request):
    """The body of ``POST /api/show``; ``name`` is what ``model`` was once called."""

    name: str | None = None

    @property
    def id(self) -> str:
        """The model that is asked for. Raises InvalidRequest if none is."""
        if not (self.model or self.name):
            raise InvalidRequest("The model is missing.", param="model")
        return (self.model or self.name or "").removesuffix(LATEST)
