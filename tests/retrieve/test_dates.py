"""Which spans of time a text names."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultbridge.core.search import Period
from vaultbridge.retrieve.dates import RECENT_DAYS, read_periods

ZONE = timezone(timedelta(hours=8))
NOW = datetime(2024, 3, 21, 15, 30, tzinfo=ZONE)
"""A Thursday."""


def days(period: Period) -> tuple[date | None, date | None]:
    """The first and the last day of a span."""
    first, last = (
        None if at is None else datetime.fromtimestamp(at, ZONE).date() for at in (period.since, period.until)
    )
    return first, last


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("what did I write today", "2024-03-21", "2024-03-21"),
        ("notes from yesterday", "2024-03-20", "2024-03-20"),
        ("the day before yesterday", "2024-03-19", "2024-03-19"),
        ("notes from last week", "2024-03-11", "2024-03-17"),
        ("this week", "2024-03-18", "2024-03-24"),
        ("last month", "2024-02-01", "2024-02-29"),
        ("Last Year", "2023-01-01", "2023-12-31"),
        ("the last three days", "2024-03-18", "2024-03-21"),
        ("the past week", "2024-03-14", "2024-03-21"),
        ("two weeks ago", "2024-03-04", "2024-03-10"),
        ("a day ago", "2024-03-20", "2024-03-20"),
        ("since Monday", "2024-03-18", None),
        ("on Thursday", "2024-03-21", "2024-03-21"),
        ("last Thursday", "2024-03-14", "2024-03-14"),
        ("since last week", "2024-03-11", None),
        ("before last month", None, "2024-01-31"),
        ("until March 2023", None, "2023-03-31"),
        ("in March", "2024-03-01", "2024-03-31"),
        ("in May", "2023-05-01", "2023-05-31"),
        ("in March 2024", "2024-03-01", "2024-03-31"),
        ("December 2023", "2023-12-01", "2023-12-31"),
        ("2024-03", "2024-03-01", "2024-03-31"),
        ("2024-03-14", "2024-03-14", "2024-03-14"),
        ("March 14, 2024", "2024-03-14", "2024-03-14"),
        ("14th of March 2024", "2024-03-14", "2024-03-14"),
        ("in 2023", "2023-01-01", "2023-12-31"),
        ("今天写了什么", "2024-03-21", "2024-03-21"),
        ("昨天的笔记", "2024-03-20", "2024-03-20"),
        ("前天", "2024-03-19", "2024-03-19"),
        ("上周的笔记", "2024-03-11", "2024-03-17"),
        ("上上周", "2024-03-04", "2024-03-10"),
        ("上个星期", "2024-03-11", "2024-03-17"),
        ("上周三", "2024-03-13", "2024-03-13"),
        ("上周天", "2024-03-17", "2024-03-17"),
        ("这周", "2024-03-18", "2024-03-24"),
        ("上个月", "2024-02-01", "2024-02-29"),
        ("本月", "2024-03-01", "2024-03-31"),
        ("三月写的笔记", "2024-03-01", "2024-03-31"),
        ("十二月", "2023-12-01", "2023-12-31"),
        ("去年三月", "2023-03-01", "2023-03-31"),
        ("去年", "2023-01-01", "2023-12-31"),
        ("2024年3月", "2024-03-01", "2024-03-31"),
        ("2024年3月14日", "2024-03-14", "2024-03-14"),
        ("2023年", "2023-01-01", "2023-12-31"),
        ("最近三天", "2024-03-18", "2024-03-21"),
        ("过去两个月", "2024-01-21", "2024-03-21"),
        ("二十天前", "2024-03-01", "2024-03-01"),
        ("3个月前", "2023-12-01", "2023-12-31"),
        ("上周以来", "2024-03-11", None),
        ("2024年3月之前", None, "2024-02-29"),
    ],
)
def test_a_span_in_either_language(text: str, first: str | None, last: str | None) -> None:
    (period,) = read_periods(text, NOW)
    assert tuple(day and day.isoformat() for day in days(period)) == (first, last)


@pytest.mark.parametrize("text", ["What changed recently?", "my latest notes", "最近写了什么", "最新的笔记"])
def test_recently_is_a_span_too(text: str) -> None:
    (period,) = read_periods(text, NOW)
    assert days(period) == (NOW.date() - timedelta(days=RECENT_DAYS), NOW.date())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "You may march on.",
        "Python 3.12 or 2024.1.3.7",
        "version v2024-03-14b",
        "2024-02-31",
        "2024-13",
        "the year 2024",
        "in 2031",
        "it takes three weeks",
        "三个月亮",
        "附近的图书馆",
    ],
)
def test_what_is_no_past_time(text: str) -> None:
    assert read_periods(text, NOW) == []


def test_a_day_in_figures_may_be_a_notes_name() -> None:
    assert read_periods("2024-03-14", NOW)[0].named
    assert read_periods("2024年3月14日", NOW)[0].named
    assert not read_periods("since 2024-03-14", NOW)[0].named
    assert not read_periods("yesterday", NOW)[0].named


def test_several_spans_in_their_order() -> None:
    found = read_periods("What I wrote in 2023 and last week", NOW)
    assert [days(period)[0] for period in found] == [date(2023, 1, 1), date(2024, 3, 11)]


_PARTS = st.sampled_from(
    [
        "last ",
        "week",
        "since ",
        "2024",
        "-03",
        "-14",
        "-99",
        "年",
        "月",
        "十",
        "99",
        "上",
        "周",
        "前",
        "个月",
        "0000",
        " ago",
        "999 years",
    ]
)


@given(st.one_of(st.text(), st.lists(_PARTS).map("".join)), st.datetimes(datetime(1971, 1, 1), datetime(9998, 12, 31)))
def test_no_text_raises_and_no_span_is_upside_down(text: str, now: datetime) -> None:
    for period in read_periods(text, now.replace(tzinfo=ZONE)):
        assert period.since is None or period.until is None or period.since <= period.until
