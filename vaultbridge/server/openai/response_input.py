"""What the Responses API takes as input: items, of which several make one turn of an assistant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from vaultbridge.core.dialogue import Message, ToolCall
from vaultbridge.server.openai.messages import ContentPart, named, texts


class MessageItemBody(BaseModel):
    """Something that was said."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[ContentPart]


class FunctionCallItemBody(BaseModel):
    """A call that the model asked for."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["function_call"]
    call_id: Annotated[str, Field(min_length=1)]
    name: str
    arguments: str


class FunctionCallOutputBody(BaseModel):
    """What the called function said."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["function_call_output"]
    call_id: Annotated[str, Field(min_length=1)]
    output: str | list[ContentPart]


class ThoughtPart(BaseModel):
    """A text of a thought."""

    model_config = ConfigDict(extra="ignore")

    text: str


class ReasoningItemBody(BaseModel):
    """Something that was only thought."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["reasoning"]
    summary: list[ThoughtPart] = []
    content: list[ThoughtPart] | None = None


def _kind(value: Any) -> Any:
    return value.get("type", "message") if isinstance(value, dict) else getattr(value, "type", None)


InputItem = Annotated[
    Annotated[MessageItemBody, Tag("message")]
    | Annotated[FunctionCallItemBody, Tag("function_call")]
    | Annotated[FunctionCallOutputBody, Tag("function_call_output")]
    | Annotated[ReasoningItemBody, Tag("reasoning")],
    Discriminator(
        _kind,
        custom_error_type="item_type",
        custom_error_message="Input items are of type message, function_call, function_call_output or reasoning",
    ),
]


def messages(items: Iterable[InputItem]) -> tuple[Message, ...]:
    """The turns that ``items`` make: thought, text and calls of an assistant that follow each other are one.

    Raises InvalidRequest for content that is not text.
    """
    turns: list[Message] = []
    for index, item in enumerate(items):
        turn = _turn(item, index)
        if turn.role == "assistant" and turns and turns[-1].role == "assistant":
            turns[-1] = _joined(turns[-1], turn)
        else:
            turns.append(turn)
    return named(turns)


def _turn(item: InputItem, index: int) -> Message:
    if isinstance(item, FunctionCallItemBody):
        return Message("assistant", ("",), tool_calls=(ToolCall(item.call_id, item.name, item.arguments),))
    if isinstance(item, FunctionCallOutputBody):
        return Message("tool", texts(item.output, f"input.{index}.output"), tool_call_id=item.call_id)
    if isinstance(item, ReasoningItemBody):
        return Message("assistant", ("",), reasoning="\n".join(part.text for part in item.content or item.summary))
    role = "system" if item.role == "developer" else item.role
    return Message(role, texts(item.content, f"input.{index}.content"))


def _joined(one: Message, other: Message) -> Message:
    return replace(
        one,
        parts=tuple(part for part in (*one.parts, *other.parts) if part) or ("",),
        tool_calls=(*one.tool_calls, *other.tool_calls),
        reasoning="\n".join(filter(None, (one.reasoning, other.reasoning))),
    )
