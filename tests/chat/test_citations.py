"""Links that Obsidian resolves, citations that exist, and which of them an answer rests on."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chat.cited import citation
from tests.retrieve.rows import chunk, update
from tests.vault.pdfs import pdf
from vaultbridge.chat.citations import LinkWriter, attribute, cite, fragment, linkable, relabelled
from vaultbridge.core.notes import FileState, IndexedNote, Note, NotePath
from vaultbridge.core.search import Hit
from vaultbridge.vault.chunking import chunk as cut
from vaultbridge.vault.formats import read_note
from vaultbridge.vault.markdown import parse

PATHS = [
    NotePath(path) for path in ("Bees.md", "Garden/Ants.md", "A/Plan.md", "B/plan.md", "红烧肉.md", "v1.2 notes.md")
] + [NotePath(path) for path in ("Bees.pdf", "x/Soil.PDF", "Board.canvas", "a/log.txt", "b/Log.txt")]


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
        ("Bees.pdf", "page=3", "[[Bees.pdf#page=3]]"),
        ("x/Soil.PDF", "", "[[Soil.PDF]]"),
        ("Board.canvas", "Hive | Queens", "[[Board.canvas#Hive Queens]]"),
        ("a/log.txt", "", "[[a/log.txt]]"),
        ("x/C#.pdf", "page=12", "[C#.pdf](x/C%23.pdf#page%3D12)"),
        ("Code/C# notes.MD", "", "[C# notes](Code/C%23%20notes.MD)"),
        ("Code/C# notes.MD", "Delegates & co", "[C# notes](Code/C%23%20notes.MD#Delegates%20%26%20co)"),
    ],
)
def test_links_are_as_short_as_they_can_be(path: str, heading: str, link: str) -> None:
    assert LinkWriter.among(PATHS).link(NotePath(path), heading) == link


@pytest.mark.parametrize(
    ("link", "relabel"),
    [("[[Bees#Queens]]", "[[Bees#Queens|2]]"), ("[C# [x] notes](C%23.md)", "[2](C%23.md)")],
)
def test_a_link_keeps_its_target_under_another_label(link: str, relabel: str) -> None:
    assert relabelled(link, "2") == relabel


@given(st.lists(st.from_regex(r"\A([ab]/)?[abAB]\.md\Z"), unique=True, min_size=1), st.text(), st.data())
def test_a_link_names_one_note_and_stays_one_link(names: list[str], heading: str, data: st.DataObject) -> None:
    path = NotePath(data.draw(st.sampled_from(names)))
    link = LinkWriter.among([NotePath(name) for name in names]).link(path, heading)
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
    first, second = cite(hits, known(*hits), LinkWriter.among(known(*hits)))
    assert (first.number, first.path, first.heading, first.link) == (1, "Bees.md", "", "[[Bees]]")
    assert (second.number, second.heading, second.quote) == (2, "Queens", "Ants bite.")
    assert second.link == "[[Ants#Queens]]"
    assert second.span == hits[1].chunk.span


def test_what_the_index_no_longer_knows_is_not_cited_and_leaves_no_gap() -> None:
    gone, renamed, kept = hit("Gone.md"), hit("Bees.md", heading=("Old",)), hit("Bees.md", "kept", 1, ("New",))
    (citation,) = cite([gone, renamed, kept], known(kept), LinkWriter.among(known(kept)))
    assert (citation.number, citation.quote) == (1, "kept")


def test_nothing_found_nothing_cited() -> None:
    assert cite([], {}, LinkWriter.among([])) == []


# --- where a chunk stands ---------------------------------------------------------------------------------------------

# Day 1 and Day 2 have notes each; Ideas has two sections of one name, and Log stands twice at the top.
OUTLINE = [
    chunk("Diary.md", "Intro.", 0),
    chunk("Diary.md", "# Day 1\n## Notes\nOne.", 1, ("Day 1", "Notes")),
    chunk("Diary.md", "More of one.", 2, ("Day 1", "Notes")),
    chunk("Diary.md", "# Day 2\nText.", 3, ("Day 2",)),
    chunk("Diary.md", "## Notes\nTwo.", 4, ("Day 2", "Notes")),
    chunk("Diary.md", "## Plan #1 | C^\nThree.", 5, ("Day 2", "Plan #1 | C^")),
    chunk("Diary.md", "# Ideas\n## Draft\nFour.", 6, ("Ideas", "Draft")),
    chunk("Diary.md", "## Draft\nFive.", 7, ("Ideas", "Draft")),
    chunk("Diary.md", "# Log\nSix.", 8, ("Log",)),
    chunk("Diary.md", "# LOG\nSeven.", 9, ("LOG",)),
    chunk("Diary.md", "# |#|\nEight.", 10, ("|#|",)),
    chunk("Diary.md", "# Diary\nNine.", 11, ("Diary",)),
]
HEADINGS = ("Day 1", "Notes", "Day 2", "Notes", "Plan #1 | C^", "Ideas", "Draft", "Draft", "Log", "LOG", "|#|", "Diary")
DIARY = replace(update(*OUTLINE).note, headings=HEADINGS)


@pytest.mark.parametrize(
    ("ordinal", "place"),
    [
        (0, ""),
        (1, "Day 1#Notes"),
        (2, "Day 1#Notes"),
        (3, "Day 2"),
        (4, "Day 2#Notes"),
        (5, "Plan 1 C"),
        (6, "Ideas#Draft"),
        (7, "Ideas"),  # Obsidian would go to the first draft
        (8, ""),
        (9, ""),
        (10, ""),
        (11, ""),
    ],
)
def test_a_link_leads_to_the_chunks_own_section_or_to_what_it_is_in(ordinal: int, place: str) -> None:
    assert fragment(OUTLINE[ordinal], DIARY, OUTLINE) == place


def test_where_nobody_knows_the_outline_a_repeated_heading_is_not_named() -> None:
    assert fragment(OUTLINE[4], DIARY) == "Day 2"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Bees sleep. ^bees-1", "^bees-1"),
        ("- Bees sleep ^a\n- They dance", "^a"),
        ("Bees sleep. ^a\n\nThey dance. ^b", ""),
        ("Code: `x ^a`", ""),
        ("```\nx ^a\n```", ""),
        ("Two ^3 four", ""),
    ],
)
def test_above_all_headings_a_block_id_is_the_place(text: str, place: str) -> None:
    piece = chunk("Bees.md", text)
    assert fragment(piece, update(piece).note) == place
    (cited,) = cite([hit("Bees.md", text)], known(hit("Bees.md", text)), LinkWriter.among(PATHS))
    assert cited.link == (f"[[Bees#{place}]]" if place else "[[Bees]]")


def test_below_a_heading_the_heading_is_the_place() -> None:
    piece = chunk("Bees.md", "Bees sleep. ^a", heading=("Sleep",))
    assert fragment(piece, update(piece).note) == "Sleep"


def resolved(note: Note, place: str) -> tuple[int, int]:
    """The section that Obsidian goes to: each part is the first heading of its name that is deeper than the last."""
    parts = place.split("#")
    level = 0
    for at, heading in enumerate(note.headings):
        if linkable(heading.text).casefold() == parts[0].casefold() and heading.level > level:
            level = heading.level
            del parts[0]
        if not parts:
            following = (other.span.start for other in note.headings[at + 1 :] if other.level <= level)
            return heading.span.start, next(following, len(note.text))
    raise AssertionError(f"#{place} leads nowhere")


lines = st.sampled_from(["# A", "# B", "## A", "## B", "## C: d|e", "### A", "### C", "#### |", "Text.", "word " * 300])


@given(st.lists(lines, max_size=14).map("\n\n".join))
def test_a_link_leads_to_a_section_that_the_chunk_is_in(text: str) -> None:
    state = FileState(NotePath("Diary.md"), 1, len(text), "x")
    note, _ = parse(text, state)
    receipt = IndexedNote(state, note.title, headings=tuple(heading.text for heading in note.headings))
    outline = cut(note)
    for piece in outline:
        if place := fragment(piece, receipt, outline):
            start, end = resolved(note, place)
            assert start <= piece.span.end
            assert piece.span.end <= end, "it is another section of that name"


@pytest.mark.parametrize(
    ("path", "content", "link"),
    [
        ("x/Soil.pdf", pdf(["", "Clay. ^id"]), "[[Soil.pdf#page=2]]"),
        ("x/log.txt", b"# Monday\nWatered. ^id", "[[log.txt]]"),
        ("x/Board.canvas", b'{"nodes": [{"type": "text", "text": "# Hive\\nQueens. ^id"}]}', "[[Board.canvas]]"),
    ],
)
def test_what_is_not_markdown_is_cited_as_obsidian_links_to_it(path: str, content: bytes, link: str) -> None:
    note, _ = read_note(content, FileState(NotePath(path), 1, len(content), "x"))
    [piece] = cut(note)
    receipt = IndexedNote(note.state, note.title, headings=tuple(heading.text for heading in note.headings))
    [cited] = cite([Hit(piece, 1.0, {})], {note.path: receipt}, LinkWriter.among([note.path]))
    assert cited.link == link


# --- attribution ------------------------------------------------------------------------------------------------------

A, B, C, D = (citation(number, "text") for number in (1, 2, 3, 4))


def test_marked_notes_are_the_sources_those_that_hold_more_first() -> None:
    assert attribute({1: 0.9, 2: 0.2, 3: 0.1}, {2: 10, 3: 40}, [A, B, C]) == [C, B, A]


def test_all_marked_notes_are_sources_and_others_only_up_to_three() -> None:
    assert attribute({}, {1: 1, 2: 2, 3: 3, 4: 4}, [A, B, C, D]) == [D, C, B, A]
    assert len(attribute(dict.fromkeys((1, 2, 3, 4), 0.9), {1: 5}, [A, B, C, D])) == 3


def test_without_marks_those_that_hold_about_as_much_as_the_best() -> None:
    assert attribute({1: 0.5, 2: 0.8, 3: 0.7}, {}, [A, B, C]) == [B, C]


def test_an_answer_that_shares_too_little_has_no_source() -> None:
    assert attribute({1: 0.1, 2: 0.05}, {}, [A, B]) == []


def test_the_same_place_is_named_once_unless_both_are_marked() -> None:
    twin = citation(2, "more", A.link)
    assert attribute({1: 0.9, 2: 0.9}, {}, [A, twin]) == [A]
    assert attribute({1: 0.9, 2: 0.9}, {1: 5}, [A, twin]) == [A]
    assert attribute({}, {1: 5, 2: 4}, [A, twin]) == [A, twin]


def test_only_what_is_at_hand_can_be_a_source() -> None:
    assert attribute({1: 0.9}, {1: 5}, []) == []
