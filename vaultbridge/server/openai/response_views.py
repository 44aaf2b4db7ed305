"""The Responses API's objects as they come back."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import NotRequired, TypedDict

from vaultbridge.server.errors import ErrorView
from vaultbridge.server.likelihoods import ChosenLikelihood
from vaultbridge.server.views import AnswerView

ItemStatus = Literal["in_progress", "completed", "incomplete"]


class OutputText(TypedDict):
    """A text of a message."""

    type: Literal["output_text"]
    text: str
    annotations: list[dict[str, str]]
    logprobs: list[ChosenLikelihood]


class MessageItem(TypedDict):
    """Something that is said."""

    id: str
    type: Literal["message"]
    status: ItemStatus
    role: Literal["assistant"]
    content: list[OutputText]


class SummaryText(TypedDict):
    """A text of a thought."""

    type: Literal["summary_text"]
    text: str


class ReasoningItem(TypedDict):
    """Something that is only thought. It stands in the summary, which is where clients look for it."""

    id: str
    type: Literal["reasoning"]
    summary: list[SummaryText]


class FunctionCallItem(TypedDict):
    """A call that the client shall make; ``arguments`` is JSON text as the model wrote it."""

    id: str
    type: Literal["function_call"]
    status: ItemStatus
    call_id: str
    name: str
    arguments: str


OutputItem = MessageItem | ReasoningItem | FunctionCallItem


class InputTokensDetails(TypedDict):
    """``cached_tokens`` were not computed again."""

    cached_tokens: int
    cache_write_tokens: int


class OutputTokensDetails(TypedDict):
    """``reasoning_tokens`` were only thought."""

    reasoning_tokens: int


class ResponseUsage(TypedDict):
    """Token counts."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class ResponseError(TypedDict):
    """Why it failed: OpenAI's ``code``, and ours as ``type``."""

    code: Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]
    message: str
    type: str


class IncompleteDetails(TypedDict):
    """Why it ends too early."""

    reason: Literal["max_output_tokens"]


class ResponseView(TypedDict):
    """A response. What was asked is said again; nothing is stored."""

    id: str
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: Literal["in_progress", "completed", "incomplete", "failed"]
    error: ResponseError | None
    incomplete_details: IncompleteDetails | None
    model: str
    output: list[OutputItem]
    usage: ResponseUsage | None
    instructions: str | None
    previous_response_id: None
    tools: list[dict[str, Any]]
    tool_choice: str | dict[str, str]
    parallel_tool_calls: bool
    text: dict[str, Any]
    reasoning: dict[str, str | None]
    temperature: float
    top_p: float
    presence_penalty: float
    frequency_penalty: float
    top_logprobs: int
    max_output_tokens: int | None
    max_tool_calls: None
    truncation: Literal["disabled"]
    store: bool
    background: bool
    service_tier: Literal["default"]
    metadata: dict[str, str]
    safety_identifier: None
    prompt_cache_key: None
    vaultbridge: NotRequired[AnswerView]


class EventFields(TypedDict, total=False):
    """What an event says; which fields there are depends on its type."""

    response: ResponseView
    output_index: int
    item: OutputItem
    item_id: str
    content_index: int
    summary_index: int
    part: OutputText | SummaryText
    delta: str
    text: str
    name: str
    arguments: str
    logprobs: list[ChosenLikelihood]
    error: ErrorView


EventType = Literal[
    "response.created",
    "response.in_progress",
    "response.completed",
    "response.incomplete",
    "response.failed",
    "response.output_item.added",
    "response.output_item.done",
    "response.content_part.added",
    "response.content_part.done",
    "response.output_text.delta",
    "response.output_text.done",
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_part.done",
    "response.reasoning_summary_text.delta",
    "response.reasoning_summary_text.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "error",
]


class ResponseEvent(EventFields):
    """An event of a streamed response; its ``type`` is the event's name as well."""

    type: EventType
    sequence_number: int
