"""What our own keys hold in a reply, in whatever dialect it is."""

from __future__ import annotations

from collections.abc import Mapping

from typing_extensions import TypedDict

from vaultbridge.chat.service import AnswerEvent, Grounding, Sources
from vaultbridge.core.dialogue import Timings
from vaultbridge.core.notes import Span
from vaultbridge.core.search import Citation, Freshness

QUOTE_CHARACTERS = 240
"""How much of a cited passage travels with an answer; the whole of it is a search away."""


class SpanView(TypedDict):
    """A place in a note, in characters and in lines."""

    start: int
    end: int
    start_line: int
    end_line: int


class CitationView(TypedDict):
    """A numbered passage that was in the prompt; ``link`` is a wikilink as Obsidian would write it."""

    number: int
    path: str
    heading: str
    span: SpanView
    quote: str
    link: str


class FreshnessView(TypedDict):
    """Revisions of the vault that were seen and that can be searched, and chunks that wait for a vector.

    Shares are 0 to 1: of the notes those that are in the index, of its chunks those that have a vector.
    """

    wanted: int
    visible: int
    pending: int
    notes_share: float
    vectors_share: float


class LaneAwayView(TypedDict):
    """A lane of the search, or the ``generator``, that did not answer, and the code of what kept it away."""

    lane: str
    reason: str


class TimingsView(TypedDict):
    """Where the time went, in milliseconds, and how many tokens were guessed and right."""

    queue_ms: float
    prefill_ms: float
    decode_ms: float
    drafted: int
    accepted: int


class UnsupportedView(TypedDict):
    """A sentence that no note holds: characters (code points) ``start`` to ``end`` of the text of a ``choice``.

    ``support`` is the part of it that the best note holds, 0 to 1.
    """

    choice: int
    start: int
    end: int
    support: float


class AnswerView(TypedDict, total=False):
    """What an answer rests on. In a stream the citations come first; those used, the sentences that rest on none, and
    the timings come last. ``degraded`` is there if a lane of the search was away, or the model itself.
    """

    grounded: bool
    citations: list[CitationView]
    omitted: list[str]
    freshness: FreshnessView
    degraded: list[LaneAwayView]
    used: list[int]
    unsupported: list[UnsupportedView]
    timings: TimingsView


def span_view(span: Span) -> SpanView:
    """A place in a note."""
    return {"start": span.start, "end": span.end, "start_line": span.start_line, "end_line": span.end_line}


def citation_view(citation: Citation) -> CitationView:
    """A citation with the beginning of its text."""
    return {
        "number": citation.number,
        "path": citation.path,
        "heading": citation.heading,
        "span": span_view(citation.span),
        "quote": citation.quote[:QUOTE_CHARACTERS],
        "link": citation.link,
    }


def freshness_view(freshness: Freshness) -> FreshnessView:
    """How far the index is behind the vault."""
    return {
        "wanted": freshness.wanted,
        "visible": freshness.visible,
        "pending": freshness.pending,
        "notes_share": round(freshness.notes_share, 4),
        "vectors_share": round(freshness.vectors_share, 4),
    }


def degraded_view(degraded: Mapping[str, str]) -> list[LaneAwayView]:
    """The lanes that did not answer."""
    return [{"lane": lane, "reason": code} for lane, code in degraded.items()]


def grounding_view(event: AnswerEvent) -> AnswerView:
    """What is known when an answer begins, from its first event."""
    assert isinstance(event, Grounding)
    view: AnswerView = {
        "grounded": bool(event.citations),
        "citations": [citation_view(citation) for citation in event.citations],
        "omitted": list(event.omitted),
        "freshness": freshness_view(event.freshness),
    }
    if event.degraded:
        view["degraded"] = degraded_view(event.degraded)
    return view


def ended_view(sources: Sources, timings: Timings) -> AnswerView:
    """What is known when an answer ends."""
    return {
        "used": [citation.number for citation in sources.used],
        "unsupported": [
            {"choice": place.choice, "start": place.start, "end": place.end, "support": round(place.support, 3)}
            for place in sources.unsupported
        ],
        "timings": {
            "queue_ms": timings.queue_ms,
            "prefill_ms": timings.prefill_ms,
            "decode_ms": timings.decode_ms,
            "drafted": timings.drafted,
            "accepted": timings.accepted,
        },
    }
