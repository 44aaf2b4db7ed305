"""Canvases: what stands on them, in which order, and that any file is a note or one reason."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaultbridge.core.errors import NoteUnreadable
from vaultbridge.core.notes import FileState, Note, NotePath
from vaultbridge.vault.canvas import MAX_NODES, parse
from vaultbridge.vault.chunking import chunk

STATE = FileState(NotePath("plans/Board.canvas"), 1, 2, "0" * 64)


def canvas(*nodes: dict[str, Any], edges: list[dict[str, Any]] | None = None) -> Note:
    note, problem = parse(json.dumps({"nodes": nodes, "edges": edges or []}), STATE)
    assert problem == ""
    check(note)
    return note


def card(name: str, x: int, y: int, **content: str) -> dict[str, Any]:
    kind = next(iter(content), "text")
    return {"id": name, "type": kind, "x": x, "y": y, "width": 100, "height": 60, **content}


def group(label: str, x: int, y: int, width: int, height: int) -> dict[str, Any]:
    return {"id": f"group {label}", "type": "group", "x": x, "y": y, "width": width, "height": height, "label": label}


def edge(origin: str, target: str, label: str) -> dict[str, Any]:
    return {"id": f"{origin}-{target}", "fromNode": origin, "toNode": target, "label": label}


def check(note: Note) -> None:
    """What holds for the note of every canvas."""
    note.text.encode()
    for span in [heading.span for heading in note.headings] + [link.span for link in note.links]:
        assert 0 <= span.start < span.end <= len(note.text)
    for heading in note.headings:
        assert note.text[heading.span.start : heading.span.end] == f"{'#' * heading.level} {heading.text}"
    assert list(note.parts) == sorted(set(note.parts))
    assert all(place == 0 or note.text[place - 1] == "\n" for place in note.parts)
    found = chunk(note)
    for piece in found:
        assert piece.text == note.text[piece.span.start : piece.span.end]
        assert set(piece.heading) <= {heading.text for heading in note.headings}
    assert all(one.span.end <= two.span.start for one, two in pairwise(found))
    assert "".join("".join(piece.text for piece in found).split()) == "".join(note.text.split())


# --- what stands on it ------------------------------------------------------------------------------------------------


def test_cards_are_read_from_the_top_to_the_bottom_and_from_left_to_right() -> None:
    note = canvas(
        card("4", -50, 300, text="fourth"), card("2", 200, 0, text="second"), card("1", -10, 0, text="first"),
        card("3", 900, 1, text="third"),
    )  # fmt: skip
    assert note.text == "first\n\nsecond\n\nthird\n\nfourth"
    assert note.title == "Board.canvas"
    assert note.headings == ()


def test_groups_are_sections_and_their_labels_headings() -> None:
    note = canvas(
        group("Beds", 0, 0, 1000, 1000), group("Roses", 500, 500, 400, 400), group("Tools", 2000, 0, 500, 500),
        card("a", 600, 600, text="Cut in March."), card("b", 10, 900, text="Two are raised."),
        card("c", 2100, 10, text="A spade."), card("d", -500, 2000, text="Loose."),
    )  # fmt: skip
    assert [(piece.heading, piece.text) for piece in chunk(note)] == [
        ((), "Loose."),
        (("Beds",), "# Beds\n\nTwo are raised."),
        (("Beds", "Roses"), "## Roses\n\nCut in March."),
        (("Tools",), "# Tools\n\nA spade."),
    ]
    assert chunk(note)[2].context == "Board.canvas > Beds > Roses"


def test_a_card_belongs_to_the_group_around_its_middle() -> None:
    note = canvas(group("In", 0, 0, 100, 100), card("half", 40, 60, text="half"), card("out", 60, 60, text="out"))
    assert [(piece.heading, piece.text) for piece in chunk(note)] == [((), "out"), (("In",), "# In\n\nhalf")]


def test_groups_of_one_size_are_in_each_other_once() -> None:
    note = canvas(group("One", 0, 0, 100, 100), group("Two", 0, 0, 100, 100), card("a", 0, 0, text="Text."))
    assert sorted(heading.text for heading in note.headings) == ["One", "Two"]
    assert note.text.count("Text.") == 1


def test_a_group_without_a_label_is_none() -> None:
    unnamed = {**group("", 0, 0, 500, 500), "label": "  "}
    note = canvas(group("Named", -10, -10, 900, 900), unnamed, card("a", 10, 10, text="Text."))
    assert [piece.heading for piece in chunk(note)] == [("Named",)]


def test_files_are_links_and_embeds() -> None:
    note = canvas(
        card("a", 0, 0, file="Notes/Bees.md"),
        {**card("b", 0, 100, file="Notes/Bees.md"), "subpath": "#The hive"},
        {**card("c", 0, 200, file="papers/Soil.pdf"), "subpath": "#page=3"},
        card("d", 0, 300, file="pictures/bed [1].png"),
        card("e", 0, 400, file=""),
    )
    assert [(link.target, link.fragment, link.embed) for link in note.links] == [
        ("Notes/Bees.md", "", True), ("Notes/Bees.md", "The hive", True), ("papers/Soil.pdf", "page=3", True),
        ("pictures/bed [1].png", "", True),
    ]  # fmt: skip
    assert note.text.startswith("![[Notes/Bees.md]]\n\n![[Notes/Bees.md#The hive]]\n\n")


def test_web_pages_are_their_address() -> None:
    note = canvas({"id": "a", "type": "link", "url": "https://example.org/bees?x=1"})
    assert note.text == "https://example.org/bees?x=1"
    assert note.links == ()


def test_cards_hold_tags_and_links_but_no_headings() -> None:
    note = canvas(card("a", 0, 0, text="# Hive #bees\nSee [[Honey#Kinds|kinds]], not `[[code]]`.\n\n#bees ^id"))
    assert (note.tags, note.headings, note.blocks) == (("bees",), (), ())
    assert [(link.target, link.fragment, link.alias) for link in note.links] == [("Honey", "Kinds", "kinds")]
    [link] = note.links
    assert note.text[link.span.start : link.span.end] == "[[Honey#Kinds|kinds]]"
    assert (link.span.start_line, link.span.end_line) == (2, 2)


def test_a_label_stands_below_the_card_that_its_edge_leaves() -> None:
    note = canvas(
        card("a", 0, 0, text="# Compost\nis dark."), card("b", 0, 100, text="Tomatoes"), group("Beds", 900, 0, 90, 90),
        card("c", 0, 200, file="Notes/Bees.md"),
        edges=[edge("a", "b", "feeds"), edge("a", "group Beds", "lies\non"), edge("group Beds", "c", "attract"),
               edge("b", "gone", "leads nowhere"), edge("gone", "b", "comes from nowhere"),
               {"fromNode": "b", "toNode": "c"}],
    )  # fmt: skip
    assert note.text == (
        "# Compost\nis dark.\n\nfeeds → Tomatoes\nlies on → Beds\n\nTomatoes\n\nleads nowhere\n\n![[Notes/Bees.md]]"
        "\n\n# Beds\n\nattract → Bees"
    )


def test_what_is_not_closed_ends_with_its_card() -> None:
    note = canvas(
        card("1", 0, 0, text="---\ntags: no\n---"), card("2", 0, 100, text="```\n#no"),
        card("3", 0, 200, text="%%\n#yes"),
        card("4", 0, 300, text="$$\n[[Linked]]"), card("5", 0, 400, text="#also"),
    )  # fmt: skip
    assert (note.frontmatter, note.tags) == ({}, ("yes", "also"))
    assert [link.target for link in note.links] == ["Linked"]


def test_a_large_group_is_cut_between_its_cards() -> None:
    said = ("Words that fill a card of the board. " * 12).strip()
    cards = [card(str(number), 0, 100 * number, text=said) for number in range(12)]
    pieces = chunk(canvas(group("All", -10, -10, 500, 2000), *cards))
    assert len(pieces) > 2
    assert {piece.heading for piece in pieces} == {("All",)}
    assert "\n\n".join(piece.text for piece in pieces) == "\n\n".join(["# All", *[said] * 12])


# --- any file ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", " \n", "{}", '{"nodes": [], "edges": []}', '{"nodes": 7, "edges": {}}', '{"nodes": [1, null]}']
)
def test_an_empty_canvas_is_an_empty_note(text: str) -> None:
    note, problem = parse(text, STATE)
    assert (note.text, problem, chunk(note)) == ("", "", ())


@pytest.mark.parametrize(
    "text",
    ["[]", "7", "null", "{", '{"nodes": [}', "# A note", "[" * 100_000, '{"nodes": [{"x": ' + "9" * 9999 + "}]}"],
)
def test_what_is_no_canvas_is_one_reason(text: str) -> None:
    with pytest.raises(NoteUnreadable, match="not a canvas"):
        parse(text, STATE)


def test_the_reason_names_the_line() -> None:
    with pytest.raises(NoteUnreadable, match="line 3"):
        parse('{\n"nodes": [],\n"edges" []\n}', STATE)


def test_too_many_cards_are_one_reason() -> None:
    with pytest.raises(NoteUnreadable, match=str(MAX_NODES)):
        parse(json.dumps({"nodes": [{}] * (MAX_NODES + 1)}), STATE)


def test_a_thousand_groups_in_each_other_are_read() -> None:
    note = canvas(*(group(f"G{size}", 0, 0, size, size) for size in range(1, 1001)), card("a", -50, -30, text="Text."))
    assert len(note.headings) == 1000
    assert chunk(note)[-1].heading[:2] == ("G1000", "G999")


strange: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just([]) | st.just({})
)
MARKS = [
    "# ",
    "- ",
    "---\n",
    "```\n",
    "[[a#b|c]]",
    "![[p.png]]",
    "#tag ",
    "%%\n",
    "$$\n",
    "\n",
    "\r",
    "\ud800",
    "|",
    "[",
    "語 ",
    "^id",
]
texts = st.lists(st.sampled_from(MARKS) | st.text(max_size=4), max_size=8).map("".join)
numbers = st.integers(-500, 500) | st.floats() | st.integers(10**400, 10**400)
nodes = st.fixed_dictionaries(
    {"id": st.sampled_from("abcd"), "type": st.sampled_from(["text", "file", "link", "group", "other"])},
    optional={
        "x": numbers | strange, "y": numbers | strange, "width": numbers | strange, "height": numbers | strange,
        "text": texts | strange, "file": texts | strange, "subpath": texts | strange, "url": texts | strange,
        "label": texts | strange,
    },
)  # fmt: skip
edges = st.fixed_dictionaries(
    {},
    optional={
        "fromNode": st.sampled_from("abcd") | strange,
        "toNode": st.sampled_from("abcd") | strange,
        "label": texts | strange,
    },
)


@settings(max_examples=250, deadline=None)
@given(st.lists(nodes, max_size=8), st.lists(edges, max_size=5))
def test_any_canvas_is_a_note_to_the_letter(drawn: list[dict[str, Any]], joined: list[dict[str, Any]]) -> None:
    note = canvas(*drawn, edges=joined)
    assert note == canvas(*drawn, edges=joined)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_file_that_was_damaged_is_a_note_or_one_reason(data: st.DataObject) -> None:
    content = json.dumps(
        {"nodes": [group("G", 0, 0, 99, 99), card("a", 0, 0, text="[[x]] #y")], "edges": [edge("a", "a", "z")]}
    )
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        content = content[:at] + data.draw(st.text(max_size=3)) + content[at + data.draw(st.integers(0, 9)) :]
    try:
        check(parse(content, STATE)[0])
    except NoteUnreadable as error:
        assert error.message
