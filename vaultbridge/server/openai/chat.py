"""Chat completions: what is asked and what comes back."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import ConfigDict, Field

from vaultbridge.core.dialogue import Conversation, FinishReason, Piece, Sampling
from vaultbridge.core.errors import InvalidRequest
from vaultbridge.server.errors import error_view
from vaultbridge.server.openai.answer import Choice
from vaultbridge.server.openai.chat_views import ChatChunk, ChatView, DeltaView, MessageView, ToolCallDelta
from vaultbridge.server.openai.fields import Limit
from vaultbridge.server.openai.logprobs import ChatLogprobs, chat_logprobs
from vaultbridge.server.openai.messages import WireMessage, named
from vaultbridge.server.openai.sampling import ChoicesBody
from vaultbridge.server.openai.tools import NamedTool, ToolBody, ToolMode, offered
from vaultbridge.server.openai.usage import UsageView
from vaultbridge.server.views import AnswerView


class ChatBody(ChoicesBody):
    """A conversation to be answered."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"messages": [{"role": "user", "content": "When do I water the tomatoes?"}], "stream": False},
                {
                    "model": "any@vault",
                    "messages": [{"role": "user", "content": "When do I water the tomatoes?"}],
                    "vaultbridge": {"k": 4, "sources": "field"},
                },
            ]
        }
    )

    messages: Annotated[list[WireMessage], Field(min_length=1)]
    max_completion_tokens: Limit = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    tools: list[ToolBody] | None = None
    tool_choice: ToolMode | NamedTool | None = None
    parallel_tool_calls: bool | None = None

    def to_conversation(self) -> Conversation:
        """The messages and what may be called, in the house's words. Raises InvalidRequest."""
        tools, required = offered((tool.function.to_tool() for tool in self.tools or ()), self.tool_choice)
        return Conversation(
            named(message.to_message(index) for index, message in enumerate(self.messages)),
            tools=tools,
            call_required=required,
            parallel_calls=self.parallel_tool_calls is not False,
        )

    def sampling(self) -> Sampling:
        """How to sample; ``max_completion_tokens`` is the newer name of ``max_tokens``. Raises InvalidRequest."""
        if self.top_logprobs and not self.logprobs:
            raise InvalidRequest("top_logprobs come with logprobs only.", "Set logprobs to true.", param="top_logprobs")
        return self.to_sampling(
            self.form,
            self.max_completion_tokens or self.max_tokens,
            (self.top_logprobs or 0) if self.logprobs else None,
            self.n or 1,
        )


@dataclass(frozen=True, slots=True)
class ChatEnvelope:
    """Implements ``answer.Envelope``; its chunks share id and time."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def opening(self, index: int, ours: AnswerView | None) -> ChatChunk:
        """Who speaks."""
        chunk = self._chunk({"role": "assistant", "content": ""}, index)
        if ours is not None:
            chunk["vaultbridge"] = ours
        return chunk

    def said(self, piece: Piece, choice: Choice) -> Iterator[ChatChunk]:
        """Text, thought, or a call, which begins with a chunk of its own."""
        if piece.call is not None:
            head = piece.call
            if head.index not in choice.calls:
                call: ToolCallDelta = {
                    "index": head.index,
                    "id": head.id,
                    "type": "function",
                    "function": {"name": head.name, "arguments": ""},
                }
                yield self._chunk({"tool_calls": [call]}, piece.choice)
            if piece.text:
                more: ToolCallDelta = {"index": head.index, "function": {"arguments": piece.text}}
                yield self._chunk({"tool_calls": [more]}, piece.choice)
        elif piece.kind == "reasoning":
            yield self._chunk({"reasoning_content": piece.text}, piece.choice)
        else:
            yield self._chunk({"content": piece.text}, piece.choice, logprobs=chat_logprobs(piece.logprobs))

    def closing(self, index: int, reason: FinishReason, ours: AnswerView) -> ChatChunk:
        """Why it ended."""
        chunk = self._chunk({}, index, reason)
        chunk["vaultbridge"] = ours
        return chunk

    def failure(self, index: int, error: Exception) -> ChatChunk:
        """An end beside the error."""
        chunk = self._chunk({}, index, "stop")
        chunk["error"] = error_view(error)
        return chunk

    def counts(self, usage: UsageView) -> ChatChunk:
        """A chunk without choices."""
        return {**self._chunk({}, 0), "choices": [], "usage": usage}

    def quiet(self) -> ChatChunk:
        """A chunk that says nothing."""
        return self._chunk({"content": ""}, 0)

    def whole(self, choices: Sequence[Choice], usage: UsageView, ours: AnswerView) -> ChatView:
        """The body."""
        return {
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [
                {
                    "index": choice.index,
                    "message": _message(choice),
                    "logprobs": chat_logprobs(choice.logprobs),
                    "finish_reason": choice.reason,
                }
                for choice in choices
            ],
            "usage": usage,
            "vaultbridge": ours,
        }

    def _chunk(
        self,
        delta: DeltaView,
        index: int,
        reason: FinishReason | None = None,
        logprobs: ChatLogprobs | None = None,
    ) -> ChatChunk:
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": [{"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}],
        }


def _message(choice: Choice) -> MessageView:
    message: MessageView = {
        "role": "assistant",
        "content": choice.text or (None if choice.calls else ""),
        "refusal": None,
        "annotations": [],
    }
    if choice.reasoning:
        message["reasoning_content"] = choice.reasoning
    if choice.calls:
        message["tool_calls"] = [
            {
                "id": call.head.id,
                "type": "function",
                "function": {"name": call.head.name, "arguments": call.arguments},
            }
            for call in choice.calls.values()
        ]
    return message
