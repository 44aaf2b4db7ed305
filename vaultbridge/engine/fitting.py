"""Fits a prompt and its notes into a model's context: notes are left out first, and said to be."""

from __future__ import annotations

from dataclasses import dataclass

from vaultbridge.core.dialogue import GroundedPrompt, PromptNote, Sampling
from vaultbridge.core.errors import ContextTooLong
from vaultbridge.core.ports import Decoder

ANSWER_RESERVE = 512
"""Tokens kept free for the answer, if the context is large enough, before notes are put in."""


@dataclass(frozen=True, slots=True)
class FittedPrompt:
    """A prompt as tokens. ``kept`` and ``omitted`` are note numbers; ``max_tokens`` is what the answer may take."""

    tokens: list[int]
    stop: tuple[str, ...]
    kept: tuple[int, ...]
    omitted: tuple[int, ...]
    max_tokens: int


def fit(prompt: GroundedPrompt, sampling: Sampling, decoder: Decoder) -> FittedPrompt:
    """Render ``prompt`` with as many of its notes as its budget and the context allow, best first.

    Raises ContextTooLong if the conversation without notes leaves no room for an answer.
    """
    context = decoder.info.context
    reserve = min(sampling.max_tokens or ANSWER_RESERVE, ANSWER_RESERVE, context // 4)
    kept: list[PromptNote] = []
    left = prompt.budget
    for note in prompt.notes:
        # A note that is too long does not keep a shorter one, further down, out.
        if (cost := len(decoder.tokenize(note.text))) <= left:
            kept.append(note)
            left -= cost
    while True:
        tokens, stop = decoder.render(prompt.with_notes(kept))
        if len(tokens) + reserve <= context or not kept:
            break
        kept.pop()
    if len(tokens) >= context:
        raise ContextTooLong(
            f"The conversation has {len(tokens)} tokens; the context of {decoder.info.name} holds {context}.",
            "Shorten it, or serve a model with a larger --context.",
            param="messages",
        )
    numbers = tuple(note.number for note in kept)
    room = context - len(tokens)
    return FittedPrompt(
        tokens=tokens,
        stop=stop + sampling.stop,
        kept=numbers,
        omitted=tuple(note.number for note in prompt.notes if note.number not in numbers),
        max_tokens=min(sampling.max_tokens or room, room),
    )
