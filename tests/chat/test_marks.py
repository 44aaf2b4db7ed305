"""Marks in a stream: those that hold stay, those that lack are set, and what was sent is never changed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chat.cited import citation, marks
from tests.chat.hygiene.streams import cut, delays, pushed, through
from vaultbridge.chat.events import Unsupported
from vaultbridge.chat.marks import MarkFilter

BEES = citation(1, "Bees sleep in the hive at night. 蜜蜂夜里睡在蜂巢里。蜂は夜に巣で眠る。", note="Bees.md")
ANTS = citation(2, "Ants follow scent trails to sugar; 45 of them were seen in 1999. 蚂蚁沿着气味走。", note="Ants.md")
HIVES = citation(3, "A wooden hive costs forty euros.", note="Hives.md")


def shown() -> MarkFilter:
    """Marks that are set look different from those that the model wrote."""
    return marks(BEES, ANTS, HIVES, inserted="({})")


def unsupported(text: str) -> list[str]:
    """The sentences of what is shown that no note holds."""
    filter_ = shown()
    said = filter_.push(text) + filter_.finish()
    assert all(0.0 <= place.support < 1.0 for place in filter_.unsupported)
    return [said[place.start : place.end] for place in filter_.unsupported]


# --- the model's own --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bees sleep in the hive [1].", "Bees sleep in the hive [1]."),
        ("Bees sleep in the hive. [1]", "Bees sleep in the hive. [1]"),
        ("Bees sleep in the hive. [1] Really?", "Bees sleep in the hive. [1] Really?"),
        ("Bees sleep in the hive.\n[1]\n", "Bees sleep in the hive.\n[1]\n"),
        ("蜜蜂夜里睡在蜂巢里。[1]真的吗？", "蜜蜂夜里睡在蜂巢里。[1]真的吗？"),
        ("蜂は夜に巣で眠る[1]。", "蜂は夜に巣で眠る[1]。"),
        ('They say "bees sleep in the hive" [1].', 'They say "bees sleep in the hive" [1].'),
        ("Bees sleep in the hive [1] and ants follow scent trails [2].",) * 2,
        ("- Bees sleep in the hive [1]\n- Ants follow trails [2]\n",) * 2,
        ("| Bees sleep in the hive [1] | Ants |\n",) * 2,
    ],
)
def test_a_mark_stays_behind_what_its_note_holds(text: str, expected: str) -> None:
    assert through(shown, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bees dance on Mars in winter [1].", "Bees dance on Mars in winter."),
        ("Quarks carry colour charge [1][2].", "Quarks carry colour charge."),
        ("Bees sleep in the hive [9].", "Bees sleep in the hive. (1)"),
        ("Bees sleep in the hive [2].", "Bees sleep in the hive. (1)"),
        ("Bees sleep in the hive [1][9][2].", "Bees sleep in the hive [1]."),
        ("Bees sleep in the hive [1] at night [1].", "Bees sleep in the hive [1] at night."),
        ("Yes [1].", "Yes."),
        ("# Bees sleep in the hive [1]\n", "# Bees sleep in the hive\n"),
        ("[1] Bees sleep in the hive.", "Bees sleep in the hive. (1)"),
        ("- [1] Bees sleep in the hive\n", "- Bees sleep in the hive (1)\n"),
    ],
)
def test_a_mark_without_support_is_not_printed(text: str, expected: str) -> None:
    assert through(shown, text) == expected


@pytest.mark.parametrize(
    "written",
    [
        "[1]", "[1, 9]", "[9,1]", "[1-2]", "[1–3]", "[^1]", "[#1]", "[Note 1]", "[notes 1 and 2]", "[Source: 1]",
        "【1】", "【1†L3-L9】", "［1］", "<sup>1</sup>", "<sup>[1]</sup>", "<sup>1,2</sup>", "¹", "¹²",
        "[笔记1]", "[来源：1]",
    ],
)  # fmt: skip
def test_whatever_a_model_writes_one_form_is_printed(written: str) -> None:
    said = f"Bees sleep in the hive{written}."
    assert through(shown, said) in ("Bees sleep in the hive[1].", "Bees sleep in the hive. (1)")
    if written != "¹²":  # number twelve
        assert through(shown, said) == "Bees sleep in the hive[1]."


@pytest.mark.parametrize(
    "text",
    [
        "`items[1]` and ``a ` b[2]``",
        "```py\nx[1]\n\ny[2]\n```\n",
        "[1](https://example.org) [[1]] [[Bees]] ![[a.png]]",
        "items[0], [x], [ ], [1234], [], [see below]",
        "5 m² and 10³ and x¹",
        "- [ ] one\n- [x] two\n",
        "An open [1",
        "An open 【1",
        "a < b <s",
        "Spaces  stay \n\n ",
        '{"bees": [1, 2], "text": "Bees sleep in the hive. Really [9]"}',
        '\n{\n  "ants": [\n    [1], [2]\n  ]\n}\n',
    ],
)
def test_what_is_no_mark_is_left_alone(text: str) -> None:
    assert through(shown, text) == text


def test_a_note_that_is_spoken_of_is_called_by_its_name() -> None:
    assert through(shown, "According to [1], they rest.") == "According to Bees, they rest."
    assert through(shown, "As note [2] says: yes.") == "As note Ants says: yes."


# --- those that lack --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bees sleep in the hive.", "Bees sleep in the hive. (1)"),
        ("Bees sleep in the hive. Ants follow trails!", "Bees sleep in the hive. (1) Ants follow trails! (2)"),
        ("Bees sleep in the hive\n\nAnts follow trails", "Bees sleep in the hive (1)\n\nAnts follow trails (2)"),
        ("1. Bees sleep in the hive\n2. Yes\n", "1. Bees sleep in the hive (1)\n2. Yes\n"),
        ('"Bees sleep in the hive." They do.', '"Bees sleep in the hive." (1) They do.'),
        ("**Bees sleep in the hive.** They do.", "**Bees sleep in the hive.** (1) They do."),
        ("蜜蜂夜里睡在蜂巢里。蚂蚁沿着气味走。", "蜜蜂夜里睡在蜂巢里。(1)蚂蚁沿着气味走。(2)"),
        ("“蜜蜂夜里睡在蜂巢里。”是的", "“蜜蜂夜里睡在蜂巢里。”(1)是的"),
        ("Bees sleep in the hive.\n\n```\nx\n```\n", "Bees sleep in the hive. (1)\n\n```\nx\n```\n"),
        ("Bees sleep in the `hive. Night`. Good.", "Bees sleep in the `hive. Night`. (1) Good."),
        ("In 1999 there were 45 ants.", "In 1999 there were 45 ants. (2)"),
    ],
)
def test_a_missing_mark_is_set_behind_its_sentence(text: str, expected: str) -> None:
    assert through(shown, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "# Bees sleep in the hive\n",
        "**Bees sleep in the hive**\n",
        "Do bees sleep in the hive?",
        "This is where bees sleep in the hive:",
        "```\nBees sleep in the hive.\n```\n",
        "| Bees | sleep in the hive |\n",
        "Bees dance on Mars.",
        "Yes. Sure!",
    ],
)
def test_none_is_set_in_headings_questions_code_and_tables_nor_without_support(text: str) -> None:
    assert through(shown, text) == text


def test_what_is_cut_off_in_a_sentence_is_no_sentence() -> None:
    def cut_off() -> MarkFilter:
        filter_ = shown()
        filter_.cut = True
        return filter_

    assert through(cut_off, "Bees sleep in the hive. Ants follow") == "Bees sleep in the hive. (1) Ants follow"
    assert through(cut_off, "Bees sleep in the hive.") == "Bees sleep in the hive. (1)"


def test_a_mark_in_a_table_does_not_end_its_cell() -> None:
    linked = marks(BEES, own={1: "[[Bees|1]]"})
    assert linked.push("| Bees sleep in the hive [1] | x |\n") == "| Bees sleep in the hive [[Bees\\|1]] | x |"


def test_marks_that_are_not_shown_leave_no_space() -> None:
    assert through(lambda: marks(BEES, own={1: ""}), "Bees sleep in the hive [1].") == "Bees sleep in the hive."


def test_a_note_that_goes_meanwhile_is_not_cited_any_more() -> None:
    gone: set[str] = set()
    filter_ = marks(BEES, ANTS, inserted="({})", gone=gone)
    said = filter_.push("Bees sleep in the hive. Ants follow trails. So bees sleep in the hive [1].\n")
    gone.add("Bees.md")
    said += filter_.push("Bees sleep in the hive [1]. Bees sleep in the hive.") + filter_.finish()
    assert said == (
        "Bees sleep in the hive. (1) Ants follow trails. (2) So bees sleep in the hive [1].\n"
        "Bees sleep in the hive. Bees sleep in the hive."
    )


# --- what no note holds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bees sleep in the hive. They dance on Mars every day. Yes.", ["They dance on Mars every day."]),
        ("- Bees sleep in the hive\n- Wasps fly rockets\n", ["Wasps fly rockets"]),
        ("Bees sleep in the hive [9]. Quarks carry charge [1]!", ["Quarks carry charge!"]),
        ("蜜蜂夜里睡在蜂巢里。夸克带有色荷。", ["夸克带有色荷。"]),
        ("Do quarks carry charge? As follows:", []),
        ("# Quarks carry charge\n```\nQuarks carry charge.\n```\n", []),
    ],
)
def test_it_is_named_by_its_place_in_what_was_sent(text: str, expected: list[str]) -> None:
    assert unsupported(text) == expected


def test_without_notes_nothing_is_judged() -> None:
    filter_ = marks()
    assert filter_.push("Quarks carry charge [1]. ") + filter_.finish() == "Quarks carry charge. "
    assert filter_.unsupported == []


def test_what_the_notes_hold_of_it_is_counted_for_each() -> None:
    filter_ = shown()
    filter_.push("Bees sleep in the hive [1]. Ants follow scent trails. Quarks carry charge.\n")
    filter_.finish()
    assert set(filter_.credit) == {1, 2}
    (place,) = filter_.unsupported
    assert isinstance(place, Unsupported)


# --- however it is cut ------------------------------------------------------------------------------------------------

snippets = st.sampled_from(
    [
        "Bees sleep in the hive", "Ants follow trails", "Quarks carry charge", "Yes", "蜜蜂睡在蜂巢里", ".", ". ", "! ",
        "。", "？", ":", "[1]", " [1]", " [2]", "[9]", "[1, 2]", "[1-3]", "[^2]", "【1】", "【2†x】", "［3］",
        "<sup>1</sup>", "<sup", "¹", "²", "[", "]", "[[", "]]", "[1](x)", "[[Bees]]", "[Note 1]", "[Note",
        " ", "  ", "\n", "\n\n", "- ", "1. ", "# ", "| ", "> ",
        "`", "```", "```\n", "**", '"', "”", "(", ")", "Dr.", "e.g. ", "1", "a", "\t",
    ]
)  # fmt: skip
answers = st.lists(snippets, max_size=20).map("".join)
cuts = st.lists(st.integers(0, 200), max_size=20)


@given(answers, cuts)
def test_what_is_shown_does_not_depend_on_how_it_is_cut(text: str, places: list[int]) -> None:
    assert pushed(shown, cut(text, places)) == pushed(shown, [text]) == pushed(shown, text)


@given(answers, cuts)
def test_nor_do_the_places_of_what_no_note_holds(text: str, places: list[int]) -> None:
    whole, parts = shown(), shown()
    said = whole.push(text) + whole.finish()
    for part in cut(text, places):
        parts.push(part)
    parts.finish()
    assert parts.unsupported == whole.unsupported
    assert parts.credit == whole.credit
    ends = [0, *(end for place in whole.unsupported for end in (place.start, place.end)), len(said)]
    assert ends == sorted(ends)


@given(answers, st.booleans())
def test_every_mark_that_is_printed_counts_and_no_other_one(text: str, cut_off: bool) -> None:
    filter_ = marks(BEES, ANTS, HIVES, own={1: "<<1>>", 2: "<<2>>", 3: "<<3>>"}, inserted="<<{}>>")
    filter_.cut = cut_off
    said = filter_.push(text) + filter_.finish()
    assert {int(number) for number in re.findall(r"<<(\d)>>", said)} == set(filter_.credit)


@given(answers)
def test_nothing_is_printed_but_marks_of_notes_that_are_there(text: str) -> None:
    said = pushed(lambda: marks(BEES, own={1: "<<1>>"}, inserted="<<1>>"), [text])
    without = said.replace(" <<1>>", "").replace("<<1>>", "")
    assert set(re.findall(r"<<(\d+)>>", said)) <= {"1"}
    letters = [character for character in without if character.isalpha()]
    rest = iter(f"{text} Bees")
    assert "Bees" in said or all(character in rest for character in letters), "no word is added"


@given(st.text(st.characters(exclude_characters="[【［<`⁰¹²³⁴⁵⁶⁷⁸⁹")), cuts)
def test_without_marks_and_support_no_character_changes(text: str, places: list[int]) -> None:
    assert pushed(lambda: marks(citation(1, "")), cut(text, places)) == text


def test_only_what_may_be_a_mark_is_held_back() -> None:
    assert delays(shown, "Bees sleep in the hive. They dance [see below], and so [on].\n\n- One `x[1]`\n") <= 3
    assert delays(shown, "蜜蜂睡在蜂巢里。它们跳舞。") <= 1
    filter_ = shown()
    assert filter_.push("Bees sleep in the hive") == "Bees sleep in the hive"
    assert filter_.push(" [") == ""
    assert filter_.push("1") == ""
    assert filter_.push("] hard") == " [1] hard"
