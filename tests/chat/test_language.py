"""The house speaks the language of the question."""

from __future__ import annotations

from dataclasses import fields

import pytest

from vaultbridge.chat.language import CHINESE, ENGLISH, JAPANESE, KOREAN, Phrases, phrases


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How do bees find home?", ENGLISH),
        ("Wie finden Bienen heim?", ENGLISH),
        ("", ENGLISH),
        ("42?", ENGLISH),
        ("😀", ENGLISH),
        ("What does 番茄 mean in my notes about cooking?", ENGLISH),
        ("红烧肉怎么做？", CHINESE),
        ("紅燒肉怎麼做？", CHINESE),
        ("Docker 怎么安装？", CHINESE),
        ("图书馆在哪里 and when?", CHINESE),
        ("図書館はどこですか", JAPANESE),
        ("カレーの作り方", JAPANESE),
        ("도서관은 어디에 있나요?", KOREAN),
    ],
)
def test_the_script_tells(question: str, expected: Phrases) -> None:
    assert phrases(question) is expected


@pytest.mark.parametrize("words", [ENGLISH, CHINESE, JAPANESE, KOREAN])
def test_every_phrase_is_there_and_speaks_its_language(words: Phrases) -> None:
    said = {field.name: getattr(words, field.name) for field in fields(words)}
    assert all(said.values())
    assert "vaultbridge models pull x" in words.fetch.format(command="vaultbridge models pull x")
    for text in (words.instructions, words.extract, words.nothing):
        assert phrases(text) is words
