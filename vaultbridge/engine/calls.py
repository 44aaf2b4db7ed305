"""What the server process asks of the models' processes."""

from __future__ import annotations

from dataclasses import dataclass

from vaultbridge.core.dialogue import GroundedPrompt, Sampling
from vaultbridge.core.search import Lane


@dataclass(frozen=True, slots=True)
class Generate:
    """Answer a prompt; the replies are events.

    A ``warm`` one is only prefilled, whenever nothing else is to be done. After ``deadline`` seconds an answer that
    has not begun fails, and one that has begun ends there.
    """

    prompt: GroundedPrompt
    sampling: Sampling
    warm: bool = False
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Forget:
    """Let go of what the cache holds of these sources' notes; the reply is None."""

    sources: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rerank:
    """Score passages; the reply is a list of floats."""

    question: str
    passages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Embed:
    """Embed texts; the reply is a list of Embedding."""

    texts: tuple[str, ...]
    lane: Lane
