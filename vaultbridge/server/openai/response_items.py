"""The items of a response while they are written: each opens, grows and closes, and tells of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from vaultbridge.core.dialogue import CallHead, Piece
from vaultbridge.server.likelihoods import ChosenLikelihood, likelihoods
from vaultbridge.server.openai.response_views import (
    EventFields,
    EventType,
    FunctionCallItem,
    ItemStatus,
    MessageItem,
    OutputItem,
    OutputText,
    ReasoningItem,
    SummaryText,
)

Told = tuple[EventType, EventFields]


class ItemWriter(Protocol):
    """One item; what it tells lacks only the item's place."""

    id: str

    def takes(self, piece: Piece) -> bool:
        """Whether ``piece`` goes on with this item."""

    def item(self, status: ItemStatus) -> OutputItem:
        """How it stands."""

    def opening(self) -> Iterator[Told]:
        """What is told after it was added."""

    def growing(self, piece: Piece) -> Iterator[Told]:
        """What is told of ``piece``, which is added."""

    def closing(self) -> Iterator[Told]:
        """What is told before it is done."""


def writer(piece: Piece) -> ItemWriter:
    """A new item that begins with ``piece``."""
    if piece.call is not None:
        return CallWriter(piece.call)
    return ThoughtWriter() if piece.kind == "reasoning" else MessageWriter()


@dataclass(slots=True)
class MessageWriter:
    """Something that is said."""

    id: str = field(default_factory=lambda: _id("msg"))
    text: str = ""
    logprobs: list[ChosenLikelihood] = field(default_factory=list)

    def takes(self, piece: Piece) -> bool:
        """Text."""
        return piece.kind == "answer"

    def item(self, status: ItemStatus) -> MessageItem:
        """A message; while it is being written its content has events of its own."""
        content: list[OutputText] = [] if status == "in_progress" else [self._part()]
        return {"id": self.id, "type": "message", "status": status, "role": "assistant", "content": content}

    def opening(self) -> Iterator[Told]:
        """Its only part."""
        yield "response.content_part.added", {"content_index": 0, "part": self._part()}

    def growing(self, piece: Piece) -> Iterator[Told]:
        """More text."""
        more = likelihoods(piece.logprobs)
        self.text += piece.text
        self.logprobs += more
        yield "response.output_text.delta", {"content_index": 0, "delta": piece.text, "logprobs": more}

    def closing(self) -> Iterator[Told]:
        """The text and the part, whole."""
        yield "response.output_text.done", {"content_index": 0, "text": self.text, "logprobs": self.logprobs}
        yield "response.content_part.done", {"content_index": 0, "part": self._part()}

    def _part(self) -> OutputText:
        return {"type": "output_text", "text": self.text, "annotations": [], "logprobs": list(self.logprobs)}


@dataclass(slots=True)
class ThoughtWriter:
    """Something that is only thought."""

    id: str = field(default_factory=lambda: _id("rs"))
    text: str = ""

    def takes(self, piece: Piece) -> bool:
        """Thought."""
        return piece.kind == "reasoning"

    def item(self, status: ItemStatus) -> ReasoningItem:
        """A reasoning item, which has no status."""
        return {"id": self.id, "type": "reasoning", "summary": [] if status == "in_progress" else [self._part()]}

    def opening(self) -> Iterator[Told]:
        """Its only part."""
        yield "response.reasoning_summary_part.added", {"summary_index": 0, "part": self._part()}

    def growing(self, piece: Piece) -> Iterator[Told]:
        """More thought."""
        self.text += piece.text
        yield "response.reasoning_summary_text.delta", {"summary_index": 0, "delta": piece.text}

    def closing(self) -> Iterator[Told]:
        """The text and the part, whole."""
        yield "response.reasoning_summary_text.done", {"summary_index": 0, "text": self.text}
        yield "response.reasoning_summary_part.done", {"summary_index": 0, "part": self._part()}

    def _part(self) -> SummaryText:
        return {"type": "summary_text", "text": self.text}


@dataclass(slots=True)
class CallWriter:
    """A call that the client shall make."""

    head: CallHead
    id: str = field(default_factory=lambda: _id("fc"))
    arguments: str = ""

    def takes(self, piece: Piece) -> bool:
        """More of the same call."""
        return piece.call == self.head

    def item(self, status: ItemStatus) -> FunctionCallItem:
        """A call with its arguments as far as they are written."""
        return {
            "id": self.id,
            "type": "function_call",
            "status": status,
            "call_id": self.head.id,
            "name": self.head.name,
            "arguments": self.arguments,
        }

    def opening(self) -> Iterator[Told]:
        """Nothing: the item says it all."""
        yield from ()

    def growing(self, piece: Piece) -> Iterator[Told]:
        """More of the arguments."""
        self.arguments += piece.text
        if piece.text:
            yield "response.function_call_arguments.delta", {"delta": piece.text}

    def closing(self) -> Iterator[Told]:
        """The arguments, whole."""
        yield "response.function_call_arguments.done", {"name": self.head.name, "arguments": self.arguments}


def _id(prefix: str) -> str:
    return f"{prefix}_{uuid.uuid4().hex}"
