"""What a prompt takes first says something new."""

from __future__ import annotations

from tests.retrieve.rows import chunk
from vaultbridge.chat.packing import packed
from vaultbridge.core.search import Hit


def hits(*texts: str) -> list[Hit]:
    return [Hit(chunk(f"{number}.md", text), 1.0 - number / 10, {}) for number, text in enumerate(texts)]


def order(found: list[Hit]) -> list[str]:
    return [hit.chunk.text for hit in packed(found)]


BEES = "Bees sleep in the hive at night and dance at noon."
COPY = "At night bees sleep in the hive, and dance at noon!"
HIVES = "A hive costs forty euros."


def test_a_repetition_goes_behind_what_is_new() -> None:
    assert order(hits(BEES, COPY, HIVES)) == [BEES, HIVES, COPY]


def test_hits_that_differ_keep_their_order() -> None:
    assert order(hits(HIVES, BEES)) == [HIVES, BEES]


def test_a_hit_that_says_more_than_a_better_one_is_no_repetition() -> None:
    more = f"{COPY} In winter they cluster around the queen and eat honey."
    assert order(hits(BEES, more, HIVES)) == [BEES, more, HIVES]


def test_chinese_repetitions_are_told_too() -> None:
    assert order(hits("红烧肉要小火炖一小时。", "红烧肉要小火炖一小时！", "五花肉切块。"))[1] == "五花肉切块。"


def test_hits_without_words_are_kept() -> None:
    assert order(hits("…", "!", BEES))[0] == "…"
