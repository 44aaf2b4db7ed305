"""What a question about a time is answered with first: notes of that time, or the newest ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from vaultbridge.core.notes import NotePath, day_named
from vaultbridge.core.search import Hit, Period, Query, Scope

NEAR_BEST = 0.5
"""Of the relevant hits, those of so much of the best one's score may come first because they are newer."""


def within(scope: Scope, period: Period) -> Scope:
    """A scope narrowed to a period."""
    since = [time for time in (scope.since, period.since) if time is not None]
    until = [time for time in (scope.until, period.until) if time is not None]
    return replace(scope, since=max(since, default=None), until=min(until, default=None))


def holds(period: Period, time: float) -> bool:
    """Whether a moment lies in a period."""
    return (period.since is None or period.since <= time) and (period.until is None or time <= period.until)


def is_answer_by_time(query: Query, note: NotePath) -> bool:
    """Whether a note answers whatever it says: notes of the period are what is asked for, or it is named after one of
    the days that are asked about."""
    period = query.period
    if period is None:
        return False
    if query.scope == within(query.scope, period):
        return True
    day = day_named(note) if query.diary else None
    return day is not None and holds(period, day)


def timely(hits: Sequence[Hit], written: Mapping[NotePath, float], period: Period) -> list[Hit]:
    """Put the hits of the period first, or the newest ones if these are wanted; their scores say so."""
    if not hits:
        return []
    if period.newest:
        best = max(hit.score for hit in hits)
        newest = sorted(
            (hit for hit in hits if hit.score >= NEAR_BEST * best), key=lambda hit: -written.get(hit.chunk.note, 0.0)
        )
        lift = {hit.chunk.key: best + 1 - place / len(newest) for place, hit in enumerate(newest)}
        lifted = [replace(hit, score=lift.get(hit.chunk.key, hit.score)) for hit in hits]
    else:
        inside = {note for note, time in written.items() if holds(period, time)}
        lifted = [replace(hit, score=hit.score + 1) if hit.chunk.note in inside else hit for hit in hits]
    return sorted(lifted, key=lambda hit: -hit.score)
