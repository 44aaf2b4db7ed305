"""Sentences of answers, in prose and Markdown, in English, Chinese and Japanese."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultbridge.chat.sentences import sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bees sleep. They dance! Do they? Yes…", ["Bees sleep.", "They dance!", "Do they?", "Yes…"]),
        ("An answer without a stop", ["An answer without a stop"]),
        ("", []),
        (" \n ", []),
        ('He said "bees sleep." Then he left.', ['He said "bees sleep."', "Then he left."]),
        ("(Bees sleep.) They dance.", ["(Bees sleep.)", "They dance."]),
        ("**Bees sleep.** They dance.", ["**Bees sleep.**", "They dance."]),
        ("Really?! Yes.", ["Really?!", "Yes."]),
        ("See [[Notes on bees. Part two]] first. Then go.", ["See [[Notes on bees. Part two]] first.", "Then go."]),
    ],
)
def test_english(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    "sentence",
    [
        "Dr. Smith met J. R. Tolkien at 5 p.m. on Monday.",
        "It costs 3.50 euros, e.g. at Smith & Co. on the corner.",
        "See Fig. 3 and vol. 2, pp. 5 ff.",
        "The U.S. Army bought it from St. Mary.",
        "Version 1.2.3 is on example.com now.",
        "They wait... and dance.",
        "Mr. Bee, i.e. Prof. Hive, sleeps.",
    ],
)
def test_no_sentence_ends_within_abbreviations_and_numbers(sentence: str) -> None:
    assert sentences(f"{sentence} Then bees sleep.") == [sentence, "Then bees sleep."]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("蜜蜂睡觉。它们跳舞！真的吗？是的。", ["蜜蜂睡觉。", "它们跳舞！", "真的吗？", "是的。"]),
        ("他说：“蜜蜂睡觉。”然后走了。", ["他说：“蜜蜂睡觉。”", "然后走了。"]),
        ("蜜蜂（在夜里）睡觉。第二句", ["蜜蜂（在夜里）睡觉。", "第二句"]),
        ("蜜蜂睡觉……它们跳舞。", ["蜜蜂睡觉……它们跳舞。"]),
        ("价格是3.5元。好", ["价格是3.5元。", "好"]),
        ("蜂は眠る。（夜に。）そして踊る。", ["蜂は眠る。", "（夜に。）そして踊る。"]),
        ("「蜂は眠る。」と言った。次の文。", ["「蜂は眠る。」と言った。", "次の文。"]),
        ("「蜂は眠る。」\n次の文。", ["「蜂は眠る。」", "次の文。"]),
        ("Is it?是的。Yes!好", ["Is it?", "是的。", "Yes!", "好"]),
    ],
)
def test_chinese_and_japanese(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- Bees sleep\n- They dance\n\nDone", ["Bees sleep", "They dance", "Done"]),
        ("1. Bees sleep.\n2) They dance\n3、睡觉\n（4）跳舞", ["Bees sleep.", "They dance", "睡觉", "跳舞"]),
        ("- [ ] Feed the bees\n- [x] Sleep", ["Feed the bees", "Sleep"]),
        ("* Bees sleep in\n  the hive. They dance.", ["Bees sleep in\n  the hive.", "They dance."]),
        ("# Bees\nBees sleep", ["# Bees", "Bees sleep"]),
        ("**Bees**\nBees sleep", ["**Bees**", "Bees sleep"]),
        ("Bees sleep\nin the hive.\nThey dance", ["Bees sleep\nin the hive.", "They dance"]),
        ("Bees sleep\n\nin the hive.", ["Bees sleep", "in the hive."]),
        ("| Bee. One | x |\n|---|---|\n| Ant | y |", ["| Bee. One | x |", "|---|---|", "| Ant | y |"]),
        ("> Bees sleep. They dance.\n>\n> Yes", ["Bees sleep.", "They dance.", "", "Yes"]),
    ],
)
def test_lines_of_markdown(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@given(st.text('Aa.。!? \n-1「」"#|>'))
def test_nothing_but_markers_and_space_is_lost(text: str) -> None:
    assert "".join("".join(sentences(text)).split()) in "".join(text.split()) or len(sentences(text)) > 1
    rest = iter(text)
    assert all(character in rest for sentence in sentences(text) for character in sentence)
