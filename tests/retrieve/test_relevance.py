"""Whether words alone show that a chunk speaks of a question."""

from __future__ import annotations

import pytest

from tests.retrieve.rows import chunk
from vaultbridge.retrieve.relevance import COVERAGE_FLOOR, Asked, telling, terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is the Nettle tea for?", {"nettle", "tea"}),
        ("how do I use it", set[str]()),
        ("番茄和鸡蛋", {"番茄", "鸡蛋"}),
        ("Obsidian插件", {"obsidian", "插件"}),
        ("図書館はどこ", {"図書", "書館", "館は", "はど", "どこ"}),
        ("도서관 위치", {"도서", "서관", "위치"}),
        ("GPT-4 v2", {"gpt", "v2"}),
        ("", set[str]()),
        ("?! … 😀", set[str]()),
    ],
)
def test_telling_words(text: str, expected: set[str]) -> None:
    assert terms(text) == expected


def test_case_and_context_do_not_matter() -> None:
    piece = chunk("a.md", "It cures colds.", context="Nettle TEA")
    assert Asked("nettle tea colds").coverage(piece) == 1.0


def test_the_part_of_the_terms_that_is_there() -> None:
    assert Asked("nettle tea gout winter").coverage(chunk("a.md", "Nettle tea in summer")) == 0.5
    assert Asked("番茄鸡蛋汤").coverage(chunk("a.md", "今天用番茄做汤")) < COVERAGE_FLOOR
    assert Asked("怎么做番茄汤").coverage(chunk("a.md", "番茄汤的做法：先做番茄")) >= COVERAGE_FLOOR


def test_where_chinese_words_end_need_not_be_known() -> None:
    piece = chunk("a.md", "六月番茄得了蚜虫，用肥皂水喷了三次。")
    assert Asked("番茄长蚜虫的时候我是怎么处理的？").shown_by(piece) >= 1
    assert Asked("番茄炒鸡蛋要放多少糖？").shown_by(piece) < 1


def test_orders_are_no_words_of_the_subject() -> None:
    piece = chunk("a.md", "Sourdough recipe: flour, water, salt.")
    assert Asked("Translate my sourdough recipe").coverage(piece) == 1.0


def test_a_single_word_proves_nothing() -> None:
    assert Asked("what about time").coverage(chunk("a.md", "time")) == 0.0


def test_the_keyword_lane_gets_the_words_that_tell_something() -> None:
    assert telling("How do I make the Nettle tea?").split() == ["Nettle", "tea?"]
    assert telling("番茄汤怎么做") == "番茄汤怎么做"
    assert telling("what is it").split() == ["what", "is", "it"]
    assert telling("") == ""
