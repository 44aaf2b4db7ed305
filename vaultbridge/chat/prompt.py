"""From hits to a grounded prompt: fixed instructions first, history as it was, notes beside the newest question."""

from __future__ import annotations

from collections.abc import Sequence

from vaultbridge.chat.language import Phrases
from vaultbridge.core.dialogue import Continuation, GroundedPrompt, Prompt, PromptNote
from vaultbridge.core.search import Citation, Hit


def ground(
    prompt: Prompt, hits: Sequence[Hit], citations: Sequence[Citation], words: Phrases, budget: int
) -> GroundedPrompt:
    """A prompt with its notes, best first, numbered as their citations. ``budget`` bounds the notes' tokens."""
    by_span = {(hit.chunk.note, hit.chunk.span): hit.chunk for hit in hits}
    notes = []
    for citation in citations:
        chunk = by_span[citation.path, citation.span]
        # A heading that is in the text already need not stand above it again.
        notes.append(PromptNote(citation.number, f"[{citation.number}] {chunk.context}\n{chunk.text}"))
    return GroundedPrompt(
        prompt=prompt,
        notes=tuple(notes),
        instructions=words.instructions,
        opening=words.opening,
        closing="" if isinstance(prompt, Continuation) else words.closing,
        budget=budget,
    )
