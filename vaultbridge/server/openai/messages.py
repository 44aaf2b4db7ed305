"""A conversation as clients send it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from vaultbridge.core.dialogue import Message, Role, ToolCall
from vaultbridge.core.errors import InvalidRequest


class ContentPart(BaseModel):
    """A piece of a message's content; only text can be read here."""

    model_config = ConfigDict(extra="ignore")

    type: str
    text: str | None = None
    refusal: str | None = None


def texts(content: str | list[ContentPart], param: str) -> tuple[str, ...]:
    """The texts of a content. Raises InvalidRequest for a part that is none, ``param`` being where the content is."""
    if isinstance(content, str):
        return (content,)
    said: list[str] = []
    for index, part in enumerate(content):
        text = part.refusal if part.type == "refusal" else part.text
        if text is None:
            raise InvalidRequest(
                f"The model cannot read a part of type {part.type!r}.", "Send text only.", param=f"{param}.{index}"
            )
        said.append(text)
    return tuple(said) or ("",)


class CalledFunction(BaseModel):
    """What was called; ``arguments`` is JSON text, as some clients do not know."""

    model_config = ConfigDict(extra="ignore")

    name: str
    arguments: Annotated[
        str, BeforeValidator(lambda value: json.dumps(value) if isinstance(value, dict) else value or "")
    ] = ""


class WireToolCall(BaseModel):
    """One call of an assistant's message."""

    model_config = ConfigDict(extra="ignore")

    id: Annotated[str, Field(min_length=1)]
    type: Literal["function"] = "function"
    function: CalledFunction

    def to_call(self) -> ToolCall:
        """The same in the house's words."""
        return ToolCall(self.id, self.function.name, self.function.arguments)


class WireMessage(BaseModel):
    """One message."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None
    name: str | None = None
    tool_calls: list[WireToolCall] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = Field(default=None, validation_alias=AliasChoices("reasoning_content", "reasoning"))

    def to_message(self, index: int) -> Message:
        """The ``index``-th of its messages in the house's words. Raises InvalidRequest."""
        role: Role = "system" if self.role == "developer" else "tool" if self.role == "function" else self.role
        if self.content is None and self.role not in ("assistant", "function"):
            raise InvalidRequest(f"A message of role {self.role!r} needs content.", param=f"messages.{index}.content")
        if self.role == "tool" and not self.tool_call_id:
            raise InvalidRequest(
                "A tool's answer must say which call it answers.",
                "Put the id of the tool call there.",
                param=f"messages.{index}.tool_call_id",
            )
        assistant = self.role == "assistant"
        return Message(
            role,
            texts(self.content or "", f"messages.{index}.content"),
            name=self.name or "",
            tool_calls=tuple(call.to_call() for call in self.tool_calls or ()) if assistant else (),
            tool_call_id=self.tool_call_id or "",
            reasoning=(self.reasoning_content or "") if assistant else "",
        )


def named(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The same messages; a tool's answer has the name of the function that was called, if it is known."""
    names: dict[str, str] = {}
    result: list[Message] = []
    for message in messages:
        names |= {call.id: call.name for call in message.tool_calls}
        if message.role == "tool" and not message.name:
            message = replace(message, name=names.get(message.tool_call_id, ""))
        result.append(message)
    return tuple(result)
