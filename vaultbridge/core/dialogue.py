"""What a conversation is made of: messages, prompts, sampling and the events of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the client runs; ``parameters`` is a JSON schema, to be kept to the letter if ``strict``."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = False


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool; ``arguments`` is JSON text as the model wrote it, which need not be valid."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. ``parts`` are its texts in order; ``reasoning`` is kept apart from them.

    ``tokens``, where they are known, are those that the model really generated for ``parts``: the prompt then begins
    as the cache does, which a text that is tokenized again need not.
    """

    role: Role
    parts: tuple[str, ...]
    name: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    reasoning: str = ""
    tokens: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """All parts as one text."""
        return "\n".join(self.parts)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A chat prompt: rendered through the model's own template.

    ``tools`` are those that may be called, ``call_required``: one of them must be; ``parallel_calls``: several may be.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    call_required: bool = False
    parallel_calls: bool = True
    template_options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Continuation:
    """A completion prompt: the model goes on after ``text``; ``suffix`` is what follows the gap."""

    text: str
    suffix: str = ""


Prompt = Conversation | Continuation


@dataclass(frozen=True, slots=True)
class Grammar:
    """What an answer must look like: GBNF, or a JSON schema as JSON text.

    With ``triggers``, patterns as llama.cpp's lazy grammars take them, the answer is free until one of them matches.
    """

    kind: Literal["gbnf", "json_schema"]
    text: str
    triggers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to choose tokens, in OpenAI's and llama.cpp's terms. ``max_tokens`` None: as many as fit.

    Penalties and DRY look at the answer alone, so that quoting a note is not punished; a little ``repeat_penalty``
    keeps small models from going round in circles. ``logprobs`` None: none; a number: each token's, and so many
    alternatives. ``n`` answers share one prefill. ``logit_bias`` is added to the logits of single tokens.
    """

    temperature: float = 0.3
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    typical_p: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repeat_penalty: float = 1.1
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    max_tokens: int | None = None
    min_tokens: int = 0
    ignore_eos: bool = False
    stop: tuple[str, ...] = ()
    seed: int | None = None
    n: int = 1
    logprobs: int | None = None
    logit_bias: tuple[tuple[int, float], ...] = ()
    grammar: Grammar | None = None


@dataclass(frozen=True, slots=True)
class PromptNote:
    """A retrieved passage, ready to stand in a prompt under its number.

    ``source`` names what it was taken from: when that goes, everything that holds its text goes.
    """

    number: int
    text: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class NoteBlock:
    """Notes in front of a question, best first, between ``opening`` and ``closing``; ``best_last``: they are written
    the other way round, so that the best one stands beside the question."""

    notes: tuple[PromptNote, ...] = ()
    opening: str = ""
    closing: str = ""
    best_last: bool = False

    def text(self, kept: Sequence[PromptNote]) -> str:
        """The block with only ``kept`` notes."""
        written = reversed(kept) if self.best_last else kept
        return "\n\n".join(filter(None, [self.opening, *(note.text for note in written), self.closing]))


@dataclass(frozen=True, slots=True)
class GroundedPrompt:
    """A prompt with notes that may be dropped.

    ``block`` stands beside the newest question; ``earlier`` blocks stand, by the index of their message, where former
    turns had them, so that the prompt begins as it did then. ``instructions`` are the fixed frame and go first, as
    the system turn. ``budget`` bounds the tokens of ``block``'s notes, ``most`` how many they are; what fits is decided
    where the tokenizer is. ``stop`` are texts of the frame that end the answer.
    """

    prompt: Prompt
    block: NoteBlock = field(default_factory=NoteBlock)
    earlier: Mapping[int, NoteBlock] = field(default_factory=dict)
    instructions: str = ""
    budget: int = 1024
    most: int = 50
    stop: tuple[str, ...] = ()

    def assembled(self, kept: Sequence[PromptNote], earlier: Mapping[int, NoteBlock] | None = None) -> Prompt:
        """The prompt as the model shall see it with only ``kept`` notes and ``earlier`` blocks (None: all of them).

        Without any note it is left as it came.
        """
        blocks = {at: block.text(block.notes) for at, block in (self.earlier if earlier is None else earlier).items()}
        if isinstance(self.prompt, Continuation):
            return replace(self.prompt, text=f"{self.block.text(kept)}\n\n{self.prompt.text}") if kept else self.prompt
        messages = list(self.prompt.messages)
        if kept:
            newest = max(i for i, message in enumerate(messages) if message.role == "user")
            blocks[newest] = self.block.text(kept)
        if not blocks:
            return self.prompt
        for at, text in blocks.items():
            messages[at] = replace(messages[at], parts=(text, *messages[at].parts))
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
    """Where an answer's time went, in milliseconds, and how many tokens were drafted and accepted."""

    queue_ms: float = 0.0
    prefill_ms: float = 0.0
    decode_ms: float = 0.0
    drafted: int = 0
    accepted: int = 0


@dataclass(frozen=True, slots=True)
class Started:
    """The prompt is fitted: the numbers of the notes that are in it, earlier ones too, and of those left out."""

    kept: tuple[int, ...]
    omitted: tuple[int, ...]
    prompt_tokens: int = 0


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One token's text, bytes and natural log probability before any sampler, and those of the likeliest ones."""

    text: str
    data: bytes
    logprob: float
    top: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class CallHead:
    """Which tool call a piece belongs to: the ``index``-th of its answer. The same in all pieces of one call."""

    index: int
    id: str
    name: str


PieceKind = Literal["answer", "reasoning", "tool_call"]


@dataclass(frozen=True, slots=True)
class Piece:
    """The next stretch of an answer: whole characters, never half a code point.

    A ``tool_call`` piece has a ``call``, and its text is a stretch of the arguments' JSON; the first piece of a call
    may be empty.
    """

    text: str
    choice: int = 0
    tokens: int = 1
    kind: PieceKind = "answer"
    logprobs: tuple[TokenLogprob, ...] = ()
    call: CallHead | None = None


FinishReason = Literal["stop", "length", "tool_calls"]


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of one choice; ``tokens`` are what was generated for it."""

    reason: FinishReason
    usage: Usage
    timings: Timings = field(default_factory=Timings)
    choice: int = 0
    tokens: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer ends here because of ``error``, a member of the error tree."""

    error: Exception


Event = Started | Piece | Finished | Failed


@dataclass(frozen=True, slots=True)
class GeneratorInfo:
    """What a generator is: context in tokens; ``chat`` is False for a base model without a chat template.

    ``parameters`` is how many weights it has, 0 if unknown.
    """

    name: str
    context: int
    chat: bool
    parameters: int = 0
