"""Responses: what is asked, and what of it every reply says again."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from vaultbridge.core.dialogue import Conversation, Message, Sampling
from vaultbridge.core.errors import InvalidRequest
from vaultbridge.server.openai.fields import Limit
from vaultbridge.server.openai.formats import TextFormat
from vaultbridge.server.openai.response_input import InputItem, messages
from vaultbridge.server.openai.response_views import ResponseView
from vaultbridge.server.openai.sampling import SamplingBody
from vaultbridge.server.openai.tools import FlatNamedTool, FlatToolBody, ToolMode, offered


class TextBody(BaseModel):
    """What the text of a response is like."""

    model_config = ConfigDict(extra="ignore")

    format: TextFormat | None = None


class ReasoningBody(BaseModel):
    """How much is to be thought. Said again in the reply, and left to the model."""

    model_config = ConfigDict(extra="ignore")

    effort: str | None = None
    summary: str | None = None


class ResponsesBody(SamplingBody):
    """A conversation to be answered. Nothing is stored: it is all in ``input``."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"input": "When do I water the tomatoes?", "max_output_tokens": 64}]}
    )

    input: str | Annotated[list[InputItem], Field(min_length=1)]
    instructions: str | None = None
    max_output_tokens: Limit = None
    text: TextBody | None = None
    tools: list[FlatToolBody] | None = None
    tool_choice: ToolMode | FlatNamedTool | None = None
    parallel_tool_calls: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    include: list[str] | None = None
    reasoning: ReasoningBody | None = None
    previous_response_id: str | None = None
    metadata: dict[str, str] | None = None

    def to_conversation(self) -> Conversation:
        """The input and what may be called, in the house's words. Raises InvalidRequest."""
        if self.previous_response_id is not None:
            raise InvalidRequest(
                "No response is stored here, so there is none to go on from.",
                "Send the whole conversation as input.",
                param="previous_response_id",
            )
        turns = (Message("user", (self.input,)),) if isinstance(self.input, str) else messages(self.input)
        if self.instructions:
            turns = (Message("system", (self.instructions,)), *turns)
        tools, required = offered((tool.to_tool() for tool in self.tools or ()), self.tool_choice)
        return Conversation(
            turns, tools=tools, call_required=required, parallel_calls=self.parallel_tool_calls is not False
        )

    def sampling(self) -> Sampling:
        """How to sample. Raises InvalidRequest."""
        wanted = self.top_logprobs or "message.output_text.logprobs" in (self.include or ())
        form = self.text.format.to_grammar() if self.text and self.text.format else None
        return self.to_sampling(form, self.max_output_tokens, (self.top_logprobs or 0) if wanted else None)

    def to_view(self, name: str, created: int, model: str) -> ResponseView:
        """The reply before anything is said; ``name`` is its id."""
        defaults = Sampling()
        return {
            "id": name,
            "object": "response",
            "created_at": created,
            "completed_at": None,
            "status": "in_progress",
            "error": None,
            "incomplete_details": None,
            "model": model,
            "output": [],
            "usage": None,
            "instructions": self.instructions,
            "previous_response_id": None,
            "tools": [_tool(tool) for tool in self.tools or ()],
            "tool_choice": self._choice(),
            "parallel_tool_calls": self.parallel_tool_calls is not False,
            "text": {"format": _format(self.text.format if self.text else None)},
            "reasoning": {
                "effort": self.reasoning.effort if self.reasoning else None,
                "summary": self.reasoning.summary if self.reasoning else None,
            },
            "temperature": defaults.temperature if self.temperature is None else self.temperature,
            "top_p": defaults.top_p if self.top_p is None else self.top_p,
            "presence_penalty": self.presence_penalty or 0.0,
            "frequency_penalty": self.frequency_penalty or 0.0,
            "top_logprobs": self.top_logprobs or 0,
            "max_output_tokens": self.max_output_tokens,
            "max_tool_calls": None,
            "truncation": "disabled",
            "store": False,
            "background": False,
            "service_tier": "default",
            "metadata": self.metadata or {},
            "safety_identifier": None,
            "prompt_cache_key": None,
        }

    def _choice(self) -> str | dict[str, str]:
        if isinstance(self.tool_choice, FlatNamedTool):
            return {"type": "function", "name": self.tool_choice.name}
        return self.tool_choice or "auto"


def _tool(tool: FlatToolBody) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    }


def _format(form: TextFormat | None) -> dict[str, Any]:
    if form is None or form.type != "json_schema":
        return {"type": form.type if form else "text"}
    return {
        "type": form.type,
        "name": form.name,
        "description": form.description,
        "schema": form.of,
        "strict": form.strict,
    }
