"""Spans of time that a question names, in English and Chinese.

Own patterns instead of a library: those that read both languages give points in time, not spans ("last week" as the day
seven days ago), and take every bare number or "may" for a date.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta

from vaultbridge.core.search import Period

RECENT_DAYS = 30
"""How far back "recently" reaches."""


_Days = tuple[date, date]
"""The first day of a span and the one behind its last."""

_MONTHS = ("january february march april may june july august september october november december").split()
_WEEKDAYS = ("monday tuesday wednesday thursday friday saturday sunday").split()
_NUMERALS = "one two three four five six seven eight nine ten eleven twelve".split()
_NUMBERS = {word: number for number, word in enumerate(_NUMERALS, start=1)} | {"a": 1, "an": 1}
_HAN = {character: number for number, character in enumerate("一二三四五六七八九", start=1)} | {"两": 2, "几": 3}

_MONTH = "|".join(f"{name}|{name[:3]}" for name in _MONTHS)
_WEEKDAY = rf"(?P<day>{'|'.join(_WEEKDAYS)})"
_COUNT = r"\d{1,3}|few|couple of|" + "|".join(_NUMERALS)
_UNIT = r"(?P<unit>day|week|month|year)s?"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_HAN_COUNT = r"(?P<count>\d{1,3}|[一二三四五六七八九十两几]{1,3})"
_HAN_UNIT = r"(?P<unit>天|日|周|星期|礼拜|个月|年)"
_HAN_MONTH = r"(?<![\d一二三四五六七八九十])(?P<month>1[0-2]|0?[1-9]|十[一二]?|[一二三四五六七八九])\s*月份?"
_HAN_UNITS = {"天": "day", "日": "day", "周": "week", "星期": "week", "礼拜": "week", "个月": "month", "年": "year"}


def read_periods(text: str, now: datetime) -> list[Period]:
    """The spans that ``text`` names, in their order; days begin and end where ``now``'s time zone says.

    Spans that lie in the future, and dates that no calendar has, are none.
    """
    taken: list[tuple[int, int]] = []
    found: list[tuple[int, Period]] = []
    for pattern, read in _PATTERNS:
        for match in pattern.finditer(text):
            if any(match.start() < end and start < match.end() for start, end in taken):
                continue
            try:
                days = read(match, now.date())
            except (ValueError, OverflowError):
                continue
            if days[0] > now.date():
                continue
            taken.append(match.span())
            period = _bounded(text, match, days, now)
            whole = period.since is not None and period.until is not None
            found.append((match.start(), replace(period, named=whole and read is _day, newest=read is _recently)))
    return [period for _, period in sorted(found, key=lambda pair: pair[0])]


def _bounded(text: str, match: re.Match[str], days: _Days, now: datetime) -> Period:
    """The span, or what lies behind or before it where the words beside it say so."""
    first, behind = (datetime.combine(day, time(), now.tzinfo).timestamp() for day in days)
    last = behind - 1
    before, after = text[: match.start()], text[match.end() :]
    if _SINCE.search(before) or _SINCE_BEHIND.match(after):
        return Period(first, None)
    if _BEFORE.search(before) or _BEFORE_BEHIND.match(after):
        return Period(None, first - 1)
    if _UNTIL.search(before):
        return Period(None, last)
    return Period(first, last)


_SINCE = re.compile(r"\bsince\s+(?:the\s+)?\Z|自从\s*\Z|(?<!来)自\s*\Z", re.IGNORECASE)
_SINCE_BEHIND = re.compile(
    r"\s*(?:以来|以后|之后|至今|起|onwards?\b|(?:up )?(?:to|until) (?:now|today)\b)", re.IGNORECASE
)
_BEFORE = re.compile(r"\bbefore\s+(?:the\s+)?\Z", re.IGNORECASE)
_BEFORE_BEHIND = re.compile(r"\s*(?:以前|之前)")
_UNTIL = re.compile(r"\b(?:until|till|up to)\s+(?:the\s+)?\Z|(?:截至|直到)\s*\Z", re.IGNORECASE)


# --- readers: a match and today to days -------------------------------------------------------------------------------


def _around(today: date, unit: str, back: int) -> _Days:
    """The calendar day, week, month or year that lies ``back`` of them before today's."""
    if unit == "day":
        first = today - timedelta(days=back)
        return first, first + timedelta(days=1)
    if unit == "week":
        first = today - timedelta(days=today.weekday() + 7 * back)
        return first, first + timedelta(days=7)
    if unit == "month":
        months = today.year * 12 + today.month - 1 - back
        return _month_of(months // 12, months % 12 + 1)
    return date(today.year - back, 1, 1), date(today.year - back + 1, 1, 1)


def _month_of(year: int, month: int) -> _Days:
    return date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)


def _last_days(today: date, count: int, unit: str) -> _Days:
    days = count * {"day": 1, "week": 7, "month": 30, "year": 365}[unit]
    return today - timedelta(days=days), today + timedelta(days=1)


def _latest(today: date, month: int) -> _Days:
    """The newest such month that has begun."""
    return _month_of(today.year - (month > today.month), month)


def _english_count(text: str) -> int:
    text = text.lower()
    return int(text) if text.isdigit() else _NUMBERS.get(text, 2 if text.startswith("couple") else 3)


def _chinese_count(text: str) -> int:
    if text.isdigit():
        return int(text)
    tens, ten, ones = text.rpartition("十")
    return (_HAN[tens] if tens else 1) * 10 * bool(ten) + (_HAN[ones] if ones else 0)


def _month(text: str) -> int:
    return _english_month(text) if text.isascii() and text.isalpha() else _chinese_count(text)


def _english_month(text: str) -> int:
    return [name[:3] for name in _MONTHS].index(text.lower()[:3]) + 1


def _day(match: re.Match[str], today: date) -> _Days:
    return _around(date(int(match["year"]), _month(match["month"]), int(match["day"])), "day", 0)


def _year_month(match: re.Match[str], today: date) -> _Days:
    return _month_of(int(match["year"]), _month(match["month"]))


def _year(match: re.Match[str], today: date) -> _Days:
    return _around(date(int(match["year"]), 1, 1), "year", 0)


def _this_or_last(match: re.Match[str], today: date) -> _Days:
    return _around(today, match["unit"].lower(), match["which"].lower() == "last")


def _counted(match: re.Match[str], today: date) -> _Days:
    return _last_days(today, _english_count(match["count"] or "1"), match["unit"].lower())


def _ago(match: re.Match[str], today: date) -> _Days:
    return _around(today, match["unit"].lower(), _english_count(match["count"]))


def _weekday(match: re.Match[str], today: date) -> _Days:
    return _around(today, "day", (today.weekday() - _WEEKDAYS.index(match["day"].lower())) % 7)


def _last_weekday(match: re.Match[str], today: date) -> _Days:
    return _weekday(match, today - timedelta(days=1))


def _month_alone(match: re.Match[str], today: date) -> _Days:
    return _latest(today, _english_month(match["month"]))


def _chinese_day(match: re.Match[str], today: date) -> _Days:
    return _around(today, "day", {"今": 0, "昨": 1, "前": 2}[match["which"]])


def _chinese_week(match: re.Match[str], today: date) -> _Days:
    first, behind = _around(today, "week", len(match["which"]) if match["which"].startswith("上") else 0)
    if not match["day"]:
        return first, behind
    return _around(first + timedelta(days="一二三四五六日天".index(match["day"]) - (match["day"] == "天")), "day", 0)


def _chinese_month(match: re.Match[str], today: date) -> _Days:
    return _around(today, "month", match["which"] == "上")


def _chinese_year(match: re.Match[str], today: date) -> _Days:
    back = {"今": 0, "去": 1, "前": 2}[match["which"]]
    if not match["month"]:
        return _around(today, "year", back)
    return _month_of(today.year - back, _chinese_count(match["month"]))


def _chinese_counted(match: re.Match[str], today: date) -> _Days:
    return _last_days(today, _chinese_count(match["count"]), _HAN_UNITS[match["unit"]])


def _chinese_ago(match: re.Match[str], today: date) -> _Days:
    return _around(today, _HAN_UNITS[match["unit"]], _chinese_count(match["count"]))


def _chinese_month_alone(match: re.Match[str], today: date) -> _Days:
    return _latest(today, _chinese_count(match["month"]))


def _recently(match: re.Match[str], today: date) -> _Days:
    return _last_days(today, RECENT_DAYS, "day")


_Reader = Callable[[re.Match[str], date], _Days]


def _patterns(*rows: tuple[str, _Reader]) -> tuple[tuple[re.Pattern[str], _Reader], ...]:
    return tuple((re.compile(pattern, re.IGNORECASE), read) for pattern, read in rows)


def _behind(*words: str) -> str:
    """Nothing, where one of these words stands before it."""
    return "(?:" + "|".join(rf"(?<=\b{word} )" for word in words) + ")"


# Longer ones first: what one has taken no later one reads. "may" and "2024" alone are no dates.
_PATTERNS = _patterns(
    (rf"(?<![\w.-]){_YEAR}[-/.](?P<month>\d\d?)[-/.](?P<day>\d\d?)(?![\w-]|\.\d)", _day),
    (rf"{_YEAR}\s*年\s*{_HAN_MONTH}\s*(?P<day>\d\d?)\s*[日号]", _day),
    (rf"\b(?P<month>{_MONTH})\.? (?P<day>\d\d?)(?:st|nd|rd|th)?,? {_YEAR}\b", _day),
    (rf"\b(?P<day>\d\d?)(?:st|nd|rd|th)? (?:of )?(?P<month>{_MONTH})\.?,? {_YEAR}\b", _day),
    (rf"(?<![\w.-]){_YEAR}[-/](?P<month>\d\d)(?![\w-]|\.\d)", _year_month),
    (rf"{_YEAR}\s*年\s*{_HAN_MONTH}", _year_month),
    (rf"\b(?P<month>{_MONTH})\.?,? (?:of )?{_YEAR}\b", _year_month),
    (rf"{_YEAR}\s*年(?!\s*\d)", _year),
    (rf"{_behind('in', 'since', 'during', 'until', 'before')}{_YEAR}\b(?![-/.:]\d)", _year),
    (rf"\b(?:last|past|previous)\s+(?P<count>{_COUNT})\s+{_UNIT}\b", _counted),
    (rf"\bpast(?P<count>)\s+{_UNIT}\b", _counted),
    (rf"\b(?P<count>{_COUNT}|an?)\s+{_UNIT}\s+ago\b", _ago),
    (rf"\b(?P<which>this|last)\s+{_UNIT}\b", _this_or_last),
    (rf"\blast {_WEEKDAY}\b", _last_weekday),
    (rf"{_behind('on', 'since', 'this', 'until', 'before')}{_WEEKDAY}\b", _weekday),
    (rf"{_behind('in', 'since', 'during', 'last', 'until', 'before')}(?P<month>{_MONTH})\b", _month_alone),
    (r"\b(?:the )?day before yesterday\b", lambda match, today: _around(today, "day", 2)),
    (r"\byesterday\b", lambda match, today: _around(today, "day", 1)),
    (r"\btoday\b", lambda match, today: _around(today, "day", 0)),
    (rf"(?P<which>今|去|前)年(?:{_HAN_MONTH})?", _chinese_year),
    (r"(?P<which>上上|上|这|本)(?:一个|个|一)?(?:周|星期|礼拜)(?P<day>[一二三四五六日天])?", _chinese_week),
    (r"(?P<which>上|这|本)(?:一个|个)?月", _chinese_month),
    (r"(?P<which>今|昨|前)(?:天|日|晚)", _chinese_day),
    (rf"(?:最近|过去|近)的?{_HAN_COUNT}\s*{_HAN_UNIT}", _chinese_counted),
    (rf"{_HAN_COUNT}\s*{_HAN_UNIT}(?:以前|之前|前)", _chinese_ago),
    (_HAN_MONTH, _chinese_month_alone),
    (r"\b(?:recently|lately|recent|latest|newest|most recent)\b|最近|近来|近期|最新", _recently),
)
