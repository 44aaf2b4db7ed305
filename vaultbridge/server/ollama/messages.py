"""Ollama's messages. Its tools' results need not say which call they answer: the order of the calls does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from vaultbridge.core.dialogue import Message, ToolCall
from vaultbridge.core.errors import InvalidRequest
from vaultbridge.server.bounds import JsonObject


class MadeCall(BaseModel):
    """What was called, and with what."""

    model_config = ConfigDict(extra="ignore")

    name: str
    arguments: JsonObject | None = None


class WireCall(BaseModel):
    """A call that the assistant made."""

    model_config = ConfigDict(extra="ignore")

    id: str | None = None
    function: MadeCall

    def to_call(self, number: int) -> ToolCall:
        """The same in the house's words; ``number`` stands for an id that is missing."""
        arguments = json.dumps(self.function.arguments or {}, ensure_ascii=False)
        return ToolCall(self.id or f"call_{number}", self.function.name, arguments)


class ChatMessage(BaseModel):
    """A message as clients send it."""

    model_config = ConfigDict(extra="ignore")

    role: Annotated[
        Literal["system", "user", "assistant", "tool"],
        BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value),
    ]
    content: str | None = None
    thinking: str | None = None
    images: list[Any] | None = None
    tool_calls: list[WireCall] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None


def to_messages(wire: Sequence[ChatMessage]) -> tuple[Message, ...]:
    """The messages in the house's words, each tool's result with its call's id. Raises InvalidRequest for images."""
    messages: list[Message] = []
    unanswered: list[ToolCall] = []
    made = 0
    for index, said in enumerate(wire):
        no_images(said.images, f"messages.{index}.images")
        calls = tuple(
            call.to_call(made + place) for place, call in enumerate(said.tool_calls or ()) if said.role == "assistant"
        )
        made += len(calls)
        unanswered += calls
        answered = _answered(said, unanswered) if said.role == "tool" else None
        if answered is not None:
            unanswered.remove(answered)
        messages.append(
            Message(
                said.role,
                (said.content or "",),
                name=said.tool_name or (answered.name if answered else ""),
                tool_calls=calls,
                tool_call_id=said.tool_call_id or (answered.id if answered else ""),
                reasoning=said.thinking or "",
            )
        )
    return tuple(messages)


def _answered(said: ChatMessage, unanswered: Sequence[ToolCall]) -> ToolCall | None:
    """The call that a tool's message answers: the one it names, or the first that is left."""
    if said.tool_call_id:
        return next((call for call in unanswered if call.id == said.tool_call_id), None)
    return next((call for call in unanswered if said.tool_name in (None, "", call.name)), None)


def no_images(images: Sequence[Any] | None, param: str) -> None:
    """Raise InvalidRequest if there are any."""
    if images:
        raise InvalidRequest("The model cannot see images.", "Send text only.", param=param)
