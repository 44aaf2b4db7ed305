"""What an answer consists of, event by event, as the dialects see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vaultbridge.core.dialogue import Failed, Finished, Piece
from vaultbridge.core.search import Citation, Freshness


@dataclass(frozen=True, slots=True)
class Grounding:
    """The first event: the citations whose text is in the prompt, the links of those left out for lack of room.

    ``degraded``: lanes of the search that did not answer, or the ``generator`` where passages stand for its answer, and
    the code of what kept each away.
    """

    citations: tuple[Citation, ...]
    omitted: tuple[str, ...]
    freshness: Freshness
    degraded: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A sentence that no note holds: characters ``[start, end)`` of a choice's text.

    ``support`` is the part of it that the best note holds, 0 to 1.
    """

    start: int
    end: int
    support: float
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Sources:
    """After the last piece: the citations that the answer, all its choices together, rests on, and what rests on
    none."""

    used: tuple[Citation, ...] = ()
    unsupported: tuple[Unsupported, ...] = ()


AnswerEvent = Grounding | Piece | Sources | Finished | Failed
