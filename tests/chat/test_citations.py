"""Links that Obsidian resolves, citations that exist, marks that point to them."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.retrieve.rows import chunk, update
from vaultbridge.chat.citations import LinkWriter, MarkFilter, attribute, cite, relabelled
from vaultbridge.core.notes import IndexedNote, NotePath
from vaultbridge.core.search import Citation, Hit

PATHS = [
    NotePath(path) for path in ("Bees.md", "Garden/Ants.md", "A/Plan.md", "B/plan.md", "红烧肉.md", "v1.2 notes.md")
]


@pytest.mark.parametrize(
    ("path", "heading", "link"),
    [
        ("Bees.md", "", "[[Bees]]"),
        ("Garden/Ants.md", "", "[[Ants]]"),
        ("Garden/Ants.md", "Queens", "[[Ants#Queens]]"),
        ("A/Plan.md", "", "[[A/Plan]]"),
        ("B/plan.md", "Next", "[[B/plan#Next]]"),
        ("红烧肉.md", "做法", "[[红烧肉#做法]]"),
        ("v1.2 notes.md", "", "[[v1.2 notes]]"),
        ("Bees.md", "C# | F^ [new]", "[[Bees#C F new]]"),
        ("Bees.md", "#|^", "[[Bees]]"),
        ("Bees.md", "50%% off", "[[Bees#50 off]]"),
        ("Bees.md", "Who: what?", "[[Bees#Who: what?]]"),
        ("Bees.md", "Bees", "[[Bees]]"),
        ("Code/C# notes.MD", "", "[C# notes](Code/C%23%20notes.MD)"),
        ("Code/C# notes.MD", "Delegates & co", "[C# notes](Code/C%23%20notes.MD#Delegates%20%26%20co)"),
    ],
)
def test_links_are_as_short_as_they_can_be(path: str, heading: str, link: str) -> None:
    assert LinkWriter(PATHS).link(NotePath(path), heading) == link


@pytest.mark.parametrize(
    ("link", "relabel"),
    [("[[Bees#Queens]]", "[[Bees#Queens|2]]"), ("[C# [x] notes](C%23.md)", "[2](C%23.md)")],
)
def test_a_link_keeps_its_target_under_another_label(link: str, relabel: str) -> None:
    assert relabelled(link, "2") == relabel


@given(st.lists(st.from_regex(r"\A([ab]/)?[abAB]\.md\Z"), unique=True, min_size=1), st.text(), st.data())
def test_a_link_names_one_note_and_stays_one_link(names: list[str], heading: str, data: st.DataObject) -> None:
    path = NotePath(data.draw(st.sampled_from(names)))
    link = LinkWriter([NotePath(name) for name in names]).link(path, heading)
    match = re.fullmatch(r"\[\[([^\[\]#|^]+)(#[^\[\]#|^]+)?\]\]", link)
    assert match
    target = match[1].casefold()
    named = [name for name in names if target in (name[:-3].casefold(), name[:-3].rsplit("/", 1)[-1].casefold())]
    assert path in named
    assert len(named) == 1 or match[1] == path.removesuffix(".md")


# --- cite -------------------------------------------------------------------------------------------------------------


def hit(note: str, text: str = "text", ordinal: int = 0, heading: tuple[str, ...] = ()) -> Hit:
    return Hit(chunk(note, text, ordinal, heading), 1.0, {})


def known(*hits: Hit) -> dict[NotePath, IndexedNote]:
    """The receipts of an index that holds the hits."""
    return {h.chunk.note: update(*(o.chunk for o in hits if o.chunk.note == h.chunk.note)).note for h in hits}


def test_citations_are_numbered_and_say_where_their_text_stands() -> None:
    hits = [hit("Bees.md", "Bees sting."), hit("d/Ants.md", "Ants bite.", 2, ("Ants", "Queens"))]
    first, second = cite(hits, known(*hits), LinkWriter(known(*hits)))
    assert (first.number, first.path, first.heading, first.link) == (1, "Bees.md", "", "[[Bees]]")
    assert (second.number, second.heading, second.quote) == (2, "Queens", "Ants bite.")
    assert second.link == "[[Ants#Queens]]"
    assert second.span == hits[1].chunk.span


def test_what_the_index_no_longer_knows_is_not_cited_and_leaves_no_gap() -> None:
    gone, renamed, kept = hit("Gone.md"), hit("Bees.md", heading=("Old",)), hit("Bees.md", "kept", 1, ("New",))
    (citation,) = cite([gone, renamed, kept], known(kept), LinkWriter(known(kept)))
    assert (citation.number, citation.quote) == (1, "kept")


def test_nothing_found_nothing_cited() -> None:
    assert cite([], {}, LinkWriter([])) == []


# --- marks in a stream ------------------------------------------------------------------------------------------------


def filtered(text: str, shown: dict[int, str], *cuts: int) -> tuple[str, list[int]]:
    """A text through the filter, in pieces cut at the places, and the numbers it used."""
    marks = MarkFilter(shown)
    places = sorted({0, *(cut for cut in cuts if cut < len(text)), len(text)})
    said = "".join(marks.push(text[start:end]) for start, end in pairwise(places))
    return said + marks.finish(), marks.used


@pytest.mark.parametrize(
    ("text", "expected", "used"),
    [
        ("Bees sting [1].", "Bees sting (1).", [1]),
        ("Bees sting [9].", "Bees sting.", []),
        ("Both [2][1], again [2].", "Both (2)(1), again (2).", [2, 1]),
        ("Half [1][7]!", "Half (1)!", [1]),
        ("No marks: [x], [ ], [12345], [^1], []", "No marks: [x], [ ], [12345], [^1], []", []),
        ("An open [1", "An open [1", []),
        ("Spaces  stay ", "Spaces  stay ", []),
        ("`items[0]` and `a[1]` [1]", "`items[0]` and `a[1]` (1)", [1]),
        ("```py\nx[0]\n\ny[1]\n```\nSo [2].", "```py\nx[0]\n\ny[1]\n```\nSo (2).", [2]),
        ("A lone ` tick.\n\nThen [1] and [7].", "A lone ` tick.\n\nThen (1) and.", [1]),
        ("``a ` b[0]`` [1]", "``a ` b[0]`` (1)", [1]),
        ("蜜蜂蜇人[1]。", "蜜蜂蜇人(1)。", [1]),
    ],
)
def test_known_marks_stay_unknown_ones_vanish(text: str, expected: str, used: list[int]) -> None:
    shown = {1: "(1)", 2: "(2)"}
    assert filtered(text, shown) == (expected, used)
    assert filtered(text, shown, *range(len(text))) == (expected, used)  # a character at a time


texts = st.lists(
    st.sampled_from(["[1]", "[2]", "[3]", " [", "[", "]", "1", "99", " ", "a", "`", "```", "\n", "番"])
).map("".join)


@given(texts, st.lists(st.integers(0, 60)))
def test_however_the_stream_is_cut_the_answer_is_the_same(text: str, cuts: list[int]) -> None:
    shown = {1: "[[Bees|1]]", 3: ""}
    assert filtered(text, shown, *cuts) == filtered(text, shown)


@given(st.text(st.characters(exclude_characters="[`")), st.lists(st.integers(0, 60)))
def test_a_text_without_marks_is_not_touched(text: str, cuts: list[int]) -> None:
    assert filtered(text, {1: "x"}, *cuts) == (text, [])


@given(texts, st.lists(st.integers(0, 60)))
def test_if_every_number_is_known_nothing_changes(text: str, cuts: list[int]) -> None:
    assert filtered(text, {n: f"[{n}]" for n in range(1000)}, *cuts)[0] == text


def test_the_stream_is_not_held_back_without_need() -> None:
    marks = MarkFilter({1: "[1]"})
    assert marks.push("Bees sting") == "Bees sting"
    assert marks.push(" [") == ""
    assert marks.push("1") == ""
    assert marks.push("] hard") == " [1] hard"


# --- attribution ------------------------------------------------------------------------------------------------------


def citation(number: int, quote: str, link: str = "") -> Citation:
    piece = chunk(f"{number}.md", quote)
    return Citation(number, piece.note, "", piece.span, quote, link or f"[[{number}]]")


BEES = citation(1, "Bees sleep in the hive and gather nectar from clover in summer.")
ANTS = citation(2, "Ants follow scent trails between their nest and sugar.")


def test_the_note_that_an_answer_repeats_is_its_source_marked_or_not() -> None:
    answer = "Bees sleep in the hive and gather nectar."
    assert attribute(answer, [ANTS, BEES], []) == [BEES]
    assert attribute(answer, [ANTS, BEES], [1]) == [BEES]


def test_an_answer_that_shares_nothing_has_no_source_even_if_it_marks_one() -> None:
    assert attribute("Quarks carry colour charge inside protons.", [BEES, ANTS], [1, 2]) == []


def test_the_same_place_is_named_once() -> None:
    twin = citation(2, BEES.quote, BEES.link)
    assert attribute(BEES.quote, [BEES, twin], [1, 2]) == [BEES]


def test_only_what_was_in_the_prompt_can_be_a_source() -> None:
    assert attribute("Bees sleep in the hive.", [], [1]) == []
