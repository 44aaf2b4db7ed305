"""Answers of an engine in this process, as their clients would see them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from vaultbridge.core.dialogue import Failed, Finished, GroundedPrompt, Piece, Sampling, TokenLogprob
from vaultbridge.engine.calls import Generate
from vaultbridge.engine.engine import Engine


@dataclass(slots=True)
class Answer:
    """One answer as its client sees it; times are seconds since it was asked."""

    stamps: list[float] = field(default_factory=list)
    text: str = ""
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finished: Finished | None = None

    @property
    def end(self) -> Finished:
        """Its Finished."""
        assert self.finished is not None
        return self.finished

    @property
    def speed(self) -> float:
        """Tokens a second after the first."""
        return (self.end.usage.completion_tokens - 1) / max(1e-9, self.stamps[-1] - self.stamps[0])


def answers(
    engine: Engine, prompts: Sequence[GroundedPrompt], sampling: Sampling, *, warm: bool = False
) -> list[Answer]:
    """Ask all at once and wait for every answer."""
    start = time.perf_counter()
    result = [Answer() for _ in prompts]
    for call, prompt in enumerate(prompts):
        engine.submit(call, Generate(prompt, sampling, warm=warm))
    while engine.busy:
        for call, event in engine.step():
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Piece):
                result[call].stamps.append(time.perf_counter() - start)
                result[call].text += event.text
                result[call].logprobs += event.logprobs
            elif isinstance(event, Finished):
                result[call].finished = event
    return result
