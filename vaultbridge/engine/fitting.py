"""Fits a prompt and its notes into a model's context: notes are left out first, and said to be."""

from __future__ import annotations

from dataclasses import dataclass

from vaultbridge.core.dialogue import GroundedPrompt, Prompt, PromptNote, Sampling
from vaultbridge.core.errors import ContextTooLong, InvalidRequest
from vaultbridge.core.ports import Decoder

ANSWER_RESERVE = 512
"""Tokens kept free for the answer, if the context is large enough, before notes are put in."""
AFTER_DROPPING = 75
"""Percent of the context that a prompt may take once notes of former turns had to go."""


@dataclass(frozen=True, slots=True)
class FittedPrompt:
    """A prompt with the notes that fit, and its tokens. ``kept`` and ``omitted`` are note numbers, earlier ones too;
    ``sources`` those of the kept. ``max_tokens`` is what the answer may take.
    """

    prompt: Prompt
    tokens: list[int]
    stop: tuple[str, ...]
    kept: tuple[int, ...]
    omitted: tuple[int, ...]
    sources: frozenset[str]
    max_tokens: int


def fit(prompt: GroundedPrompt, sampling: Sampling, decoder: Decoder) -> FittedPrompt:
    """Render ``prompt`` with as many of its notes as its budget and the context allow.

    What former turns were given goes first, the oldest first, and a good deal of it at once: every time that something
    goes, the prompt begins differently and its cache is lost. Then the new notes go, the worst first. Raises
    ContextTooLong if the conversation without notes leaves no room for an answer, InvalidRequest if there is no prompt.
    """
    context = decoder.info.context
    reserve = min(sampling.max_tokens or ANSWER_RESERVE, ANSWER_RESERVE, context // 4)
    room = most = context - reserve
    kept = _within_budget(prompt, decoder)
    earlier = dict(sorted(prompt.earlier.items()))
    while True:
        assembled = prompt.assembled(kept, earlier)
        tokens, stop = decoder.render(assembled)
        if len(tokens) <= room or not (kept or earlier):
            break
        if earlier:
            del earlier[next(iter(earlier))]
            room = min(most, context * AFTER_DROPPING // 100) if earlier else most
        else:
            kept.pop()
    if not tokens:
        raise InvalidRequest("The prompt is empty.", param="prompt")
    if len(tokens) >= context:
        raise ContextTooLong(
            f"The conversation has {len(tokens)} tokens; the context of {decoder.info.name} holds {context}.",
            "Shorten it, or serve a model with a larger --context.",
            param="messages",
        )
    standing = [*(note for block in earlier.values() for note in block.notes), *kept]
    offered = [*(note for block in prompt.earlier.values() for note in block.notes), *prompt.block.notes]
    numbers = {note.number for note in standing}
    left = context - len(tokens)
    return FittedPrompt(
        prompt=assembled,
        tokens=tokens,
        stop=stop + prompt.stop + sampling.stop,
        kept=tuple(note.number for note in standing),
        omitted=tuple(note.number for note in offered if note.number not in numbers),
        sources=frozenset(note.source for note in standing if note.source),
        max_tokens=min(sampling.max_tokens or left, left),
    )


def _within_budget(prompt: GroundedPrompt, decoder: Decoder) -> list[PromptNote]:
    kept: list[PromptNote] = []
    left = prompt.budget
    for note in prompt.block.notes:
        if len(kept) == prompt.most:
            break
        # A note that is too long does not keep a shorter one, further down, out.
        if (cost := len(decoder.tokenize(note.text))) <= left:
            kept.append(note)
            left -= cost
    return kept
