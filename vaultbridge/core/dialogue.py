"""What a conversation is made of: messages, prompts, sampling and the events of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. ``parts`` are its texts in order; ``reasoning`` is kept apart from them."""

    role: Role
    parts: tuple[str, ...]
    name: str = ""
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    tool_call_id: str = ""
    reasoning: str = ""

    @property
    def text(self) -> str:
        """All parts as one text."""
        return "\n".join(self.parts)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A chat prompt: rendered through the model's own template."""

    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    template_options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Continuation:
    """A completion prompt: the model goes on after ``text``; ``suffix`` is what follows the gap."""

    text: str
    suffix: str = ""


Prompt = Conversation | Continuation


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to choose tokens, in OpenAI's and llama.cpp's terms. ``max_tokens`` None: as many as fit.

    ``repeat_penalty`` looks at the answer alone, so that quoting a note is not punished; a little of it keeps small
    models from going round in circles.
    """

    temperature: float = 0.3
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repeat_penalty: float = 1.1
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class PromptNote:
    """A retrieved passage, ready to stand in a prompt under its number."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class GroundedPrompt:
    """A prompt with notes that may be dropped, best first.

    ``instructions`` is the fixed frame: it goes first, as the system turn, so that the prefix stays the same from
    turn to turn. Notes stand beside the newest question, between ``opening`` and ``closing``. ``budget`` bounds
    their tokens; what fits is decided where the tokenizer is.
    """

    prompt: Prompt
    notes: tuple[PromptNote, ...] = ()
    instructions: str = ""
    opening: str = ""
    closing: str = ""
    budget: int = 1024

    def with_notes(self, kept: Sequence[PromptNote]) -> Prompt:
        """The prompt as the model shall see it with only ``kept`` notes; with none it is left as it came."""
        if not kept:
            return self.prompt
        block = "\n\n".join(filter(None, [self.opening, *(note.text for note in kept), self.closing]))
        if isinstance(self.prompt, Continuation):
            return replace(self.prompt, text=f"{block}\n\n{self.prompt.text}")
        messages = list(self.prompt.messages)
        newest = max(i for i, message in enumerate(messages) if message.role == "user")
        messages[newest] = replace(messages[newest], parts=(block, *messages[newest].parts))
        if messages[0].role == "system":
            messages[0] = replace(messages[0], parts=(self.instructions, *messages[0].parts))
        else:
            messages.insert(0, Message("system", (self.instructions,)))
        return replace(self.prompt, messages=tuple(messages))


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer; ``cached_tokens`` of the prompt were reused, not computed."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """Where an answer's time went, in milliseconds."""

    queue_ms: float = 0.0
    prefill_ms: float = 0.0
    decode_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Started:
    """The prompt is fitted: the numbers of the notes that are in it, and of those that were left out."""

    kept: tuple[int, ...]
    omitted: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """The next stretch of an answer: whole characters, never half a code point."""

    text: str
    choice: int = 0
    tokens: int = 1
    kind: Literal["answer", "reasoning", "tool_call"] = "answer"


FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of one choice."""

    reason: FinishReason
    usage: Usage
    timings: Timings = field(default_factory=Timings)
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer ends here because of ``error``, a member of the error tree."""

    error: Exception


Event = Started | Piece | Finished | Failed


@dataclass(frozen=True, slots=True)
class GeneratorInfo:
    """What a generator is: context in tokens; ``chat`` is False for a base model without a chat template."""

    name: str
    context: int
    chat: bool
