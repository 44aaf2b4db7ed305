"""Chat completions' objects as they come back."""

from __future__ import annotations

from typing import Literal

from typing_extensions import NotRequired, TypedDict

from vaultbridge.core.dialogue import FinishReason
from vaultbridge.server.errors import ErrorView
from vaultbridge.server.openai.logprobs import ChatLogprobs
from vaultbridge.server.openai.usage import UsageView
from vaultbridge.server.views import AnswerView


class FunctionView(TypedDict):
    """The function that is called; ``arguments`` is JSON text as the model wrote it."""

    name: str
    arguments: str


class ToolCallView(TypedDict):
    """A call that the client shall make."""

    id: str
    type: Literal["function"]
    function: FunctionView


class MessageView(TypedDict):
    """What the model said; ``content`` is null if it only calls tools."""

    role: Literal["assistant"]
    content: str | None
    refusal: None
    annotations: list[dict[str, str]]
    reasoning_content: NotRequired[str]
    tool_calls: NotRequired[list[ToolCallView]]


class ChatChoiceView(TypedDict):
    """One of the answers."""

    index: int
    message: MessageView
    logprobs: ChatLogprobs | None
    finish_reason: FinishReason


class ChatView(TypedDict):
    """An answer that is not streamed."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoiceView]
    usage: UsageView
    vaultbridge: AnswerView


class FunctionDelta(TypedDict):
    """More of a call; its name is in the first one only."""

    name: NotRequired[str]
    arguments: str


class ToolCallDelta(TypedDict):
    """More of the ``index``-th call; id and type are in its first one only."""

    index: int
    id: NotRequired[str]
    type: NotRequired[Literal["function"]]
    function: FunctionDelta


class DeltaView(TypedDict, total=False):
    """What is new in a chunk."""

    role: Literal["assistant"]
    content: str
    reasoning_content: str
    tool_calls: list[ToolCallDelta]


class ChatChunkChoice(TypedDict):
    """More of one of the answers."""

    index: int
    delta: DeltaView
    logprobs: ChatLogprobs | None
    finish_reason: FinishReason | None


class ChatChunk(TypedDict):
    """An event of a streamed answer. ``choices`` are empty in the chunk with the usage and in no other."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChatChunkChoice]
    usage: NotRequired[UsageView]
    vaultbridge: NotRequired[AnswerView]
    error: NotRequired[ErrorView]
