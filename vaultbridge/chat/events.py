"""What an answer consists of, event by event, as the dialects see it."""

from __future__ import annotations

from dataclasses import dataclass

from vaultbridge.core.dialogue import Failed, Finished, Piece
from vaultbridge.core.search import Citation, Freshness


@dataclass(frozen=True, slots=True)
class Grounding:
    """The first event: the citations whose text is in the prompt, the links of those left out for lack of room."""

    citations: tuple[Citation, ...]
    omitted: tuple[str, ...]
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class Sources:
    """After the last piece: the citations that the answer, all its choices together, rests on."""

    used: tuple[Citation, ...]


AnswerEvent = Grounding | Piece | Sources | Finished | Failed
