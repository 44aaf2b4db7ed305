"""What Obsidian sees in a note, and what it does not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaultbridge.core.notes import FileState, Note, NotePath
from vaultbridge.vault.markdown import parse

STATE = FileState(NotePath("folder/My Note.md"), 1, 2, "0" * 64)


def parsed(text: str) -> Note:
    note, reason = parse(text, STATE)
    assert reason == ""
    return note


def links(text: str) -> list[tuple[str, str, str, bool]]:
    return [(link.target, link.fragment, link.alias, link.embed) for link in parsed(text).links]


# --- front matter -------------------------------------------------------------------------------------------------


def test_properties_and_what_they_say_of_the_note() -> None:
    note = parsed(
        "---\ntitle: A title\ntags: [work, '#area/home', 2024]\naliases:\n  - One, two\n  - 7\n---\nBody #work"
    )
    assert note.title == "A title"
    assert note.tags == ("work", "area/home")
    assert note.aliases == ("One, two", "7")
    assert note.path == STATE.path
    assert note.state == STATE


@pytest.mark.parametrize("written", ["tags: a, b/c", "tag: a b/c", "Tags: '#a #b/c'", "tags:\n- a\n- b/c"])
def test_tags_are_a_list_or_a_text(written: str) -> None:
    assert parsed(f"---\n{written}\n---\n").tags == ("a", "b/c")


def test_aliases_may_be_one_text() -> None:
    assert parsed("---\nalias: First one, Second\n---\n").aliases == ("First one", "Second")


@pytest.mark.parametrize("title", ["", "title:", "title: ''", "title: 12", "title: [a]"])
def test_the_file_names_the_note_unless_a_text_does(title: str) -> None:
    assert parsed(f"---\nx: 1\n{title}\n---\nbody").title == "My Note"


def test_values_are_read_as_obsidian_reads_them() -> None:
    note = parsed(
        "---\ndate: 2024-05-06\nbad: 2024-99-99\ntime: 12:30\nok: yes\non: true\n"
        "n: 3\nf: 1.5\nzip: 010\n1: x\nz:\n---\n"
    )
    assert note.frontmatter == {
        "date": "2024-05-06", "bad": "2024-99-99", "time": "12:30", "ok": "yes",
        "on": True, "n": 3, "f": 1.5, "zip": "010", "1": "x", "z": None,
    }  # fmt: skip


BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
)


@pytest.mark.parametrize(
    "yaml",
    [
        "a: [1", "a: b: c", "\tx: 1", "- a\n- b", "just text", "{{title}}: {{date}}", BOMB, "a: " + "[" * 5000,
        "a: !!python/object:os.system x", "a: !!int x", "a: !!bool x", "a: !!timestamp x", "a: \x00",
        "x: " + "y" * 200_000,
    ],
)  # fmt: skip
def test_broken_front_matter_costs_the_properties_and_nothing_else(yaml: str) -> None:
    note, reason = parse(f"---\n{yaml}\n---\n# Heading\nText #tag", STATE)
    assert reason.startswith("front matter: ")
    assert len(reason) < 150
    assert note.frontmatter == {}
    assert [heading.text for heading in note.headings] == ["Heading"]
    assert note.tags == ("tag",)


def test_the_reason_names_the_line_of_the_file() -> None:
    _, reason = parse("---\nfine: 1\nbroken: [\n---\n", STATE)
    assert "line 3" in reason or "line 4" in reason


@pytest.mark.parametrize(
    "text", ["---\ntag: x\n", "\n---\ntag: x\n---\n", " ---\ntag: x\n---\n", "----\ntag: x\n---\n", "text"]
)
def test_what_is_not_closed_or_not_at_the_top_is_no_front_matter(text: str) -> None:
    assert parsed(text).frontmatter == {}


@pytest.mark.parametrize(
    "text", ["---\r\ntag: x\r\n---\r\nb", "---\rtag: x\r---\rb", "---\ntag: x\n...\nb", "--- \ntag: x\n---"]
)
def test_front_matter_ends_with_any_line_end(text: str) -> None:
    assert parsed(text).tags == ("x",)


def test_empty_notes() -> None:
    for text in ["", "\n", "---\n---\n", "---\n---", "---\n# only a comment\n---\n"]:
        note = parsed(text)
        assert (note.title, note.frontmatter, note.headings, note.links) == ("My Note", {}, (), ())


# --- tags and block ids -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("#start and #end", ("start", "end")),
        ("#a/b/c #with-dash #under_score #y1984", ("a/b/c", "with-dash", "under_score", "y1984")),
        ("#标签，后面 #日本語。 #한국어 #émoji🎉 #🎉", ("标签", "日本語", "한국어", "émoji🎉", "🎉")),
        ("#Case #case #Case", ("Case", "case")),
        ("#one, #two. #three! (#no)", ("one", "two", "three")),
        ("- [ ] #task do\n> #quoted\n\n| a |\n|---|\n| #cell |", ("task", "quoted", "cell")),
        ("# Heading #here\nSetext #there\n===", ("here", "there")),
        ("#1984 #12 # no ## no a#no http://x/#no \\#no", ()),
        ("`#no` ``a ` #no`` $a #no$ $$ #no $$ %% #no %% <!-- #no --> <a style='x: #fff'>", ()),
        ("[a #no](x.md) [[#no| #no]]", ()),
        ("```\n#no\n```\n\n    #no\n\n$$\n#no\n\n#no\n$$\n\n%%\n#no\n\n#no\n%%", ()),
        ("It costs $5 for #tea and $6 for #cake", ("tea", "cake")),
        ("100%% sure, #yes", ("yes",)),
    ],
)
def test_tags(text: str, tags: tuple[str, ...]) -> None:
    assert parsed(text).tags == tags


def test_block_ids_end_their_lines() -> None:
    text = "A paragraph. ^para-1\r\n\r\n- item ^item\n- x^2 and ^no more\n\n| t |\n|---|\n\n^table\n\n"
    text += "```\ncode ^no\n```\n`a ^no`"
    assert parsed(text).blocks == ("para-1", "item", "table")


# --- links --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[Note]]", ("Note", "", "", False)),
        ("[[folder/Note|shown]]", ("folder/Note", "", "shown", False)),
        ("[[a#b#c]]", ("a", "b#c", "", False)),
        ("[[a#^id|x]]", ("a", "^id", "x", False)),
        ("[[#Here]]", ("", "Here", "", False)),
        ("![[pic.png|300]]", ("pic.png", "", "300", True)),
        ("| x |\n|---|\n| [[a\\|b]] |", ("a", "", "b", False)),
        ("[x](folder/note%20name.md#h%20i)", ("folder/note name.md", "h i", "x", False)),
        ("[x](<my note.md>)", ("my note.md", "", "x", False)),
        ('[x](a.md "A title")', ("a.md", "", "x", False)),
        ("[x](a_(b).md)", ("a_(b).md", "", "x", False)),
        ("![alt](pic.png)", ("pic.png", "", "alt", True)),
        ("[a [b] c](d.md)", ("d.md", "", "a [b] c", False)),
        ("[x](#h)", ("", "h", "x", False)),
        ("> - ## [[deep]]", ("deep", "", "", False)),
        ('---\nup: "[[Parent|p]]"\n---\n', ("Parent", "", "p", False)),
    ],
)
def test_links(text: str, expected: tuple[str, str, str, bool]) -> None:
    assert links(text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "[x](https://a.b) [x](mailto:a@b) [x](obsidian://open?vault=v) [x](//a.b) [x]()", "`[[no]]`",
        "```\n[[no]]\n```", "    [[no]]", "%% [[no]] %%", "%%\n[[no]]\n\n[[no]]\n%%", "$[[no]]$",
        "[[]] [[|x]] [[a\nb]] [ [a]]", "\\[[no\\]]", "<div>\n[[no]]\n</div>", "[a] (b.md)",
    ],
)  # fmt: skip
def test_what_is_no_link(text: str) -> None:
    assert links(text) == []


def test_a_links_span_is_where_it_stands() -> None:
    text = "---\nx: 1\n---\r\nline\u2028still\r\n> see ![[a#b|c]] and [d](e.md)\rlast"
    note = parsed(text)
    assert [text[link.span.start : link.span.end] for link in note.links] == ["![[a#b|c]]", "[d](e.md)"]
    assert {(link.span.start_line, link.span.end_line) for link in note.links} == {(5, 5)}


# --- headings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("# Plain", "Plain"),
        ("### Closed ###", "Closed"),
        ("# **bold** and _it_ ~~gone~~ ==lit==", "bold and it gone lit"),
        ("# [[Link|shown]] [[Note#Part]] [web](http://x)", "shown Note > Part web"),
        ("# `code_*x*` \\* &amp;", "code_*x* * &"),
        ("# a %%hidden%% b", "a b"),
        ("# C# and snake_case", "C# and snake_case"),
        ("Two\nlines\n=====", "Two lines"),
        ("   ## 見出し", "見出し"),
        ("#", ""),
    ],
)
def test_heading_text(markdown: str, text: str) -> None:
    assert [heading.text for heading in parsed(markdown).headings] == [text]


def test_headings_with_their_levels_and_places() -> None:
    text = "---\na: 1\n---\n# One\r\ntext\r\nTwo\r\n---\r\n```\n# no\n```\n%%\n# no\n%%\n> # no\n###### Six \n#no\n"
    headings = parsed(text).headings
    assert [(heading.level, heading.text) for heading in headings] == [(1, "One"), (2, "text Two"), (6, "Six")]
    assert [text[heading.span.start : heading.span.end] for heading in headings] == [
        "# One",
        "text\r\nTwo\r\n---",
        "###### Six",
    ]
    assert [heading.span.start_line for heading in headings] == [4, 5, 15]


def test_an_unclosed_marker_hides_nothing() -> None:
    note = parsed("%%\n# One\n\n$$\n# Two #tag\n\n%% not at the end %% of its line\n# Three")
    assert [heading.text for heading in note.headings] == ["One", "Two #tag", "Three"]


# --- for any text -------------------------------------------------------------------------------------------------

MARKS = [
    "# ", "- ", "> ", "---\n", "===\n", "[[", "]]", "|", "#", "^", "`", "```\n", "$", "$$\n", "%%", "%%\n", "\n",
    "\r\n", "\r", "\t", "    ", "a: ", "<!--", "-->",
    "[", "](", ")", "\\", "\u2028", "\x0b", "\x0c", "\0", "語", "。", "word",
]  # fmt: skip
any_text = st.lists(st.sampled_from(MARKS) | st.text(max_size=4), max_size=40).map("".join)


@settings(max_examples=300, deadline=None)
@given(any_text)
def test_any_text_is_a_note(text: str) -> None:
    note, _ = parse(text, STATE)
    assert note.text == text
    json.dumps(note.frontmatter)
    for span in [heading.span for heading in note.headings] + [link.span for link in note.links]:
        assert 0 <= span.start < span.end <= len(text)
        before = text[: span.start].replace("\r\n", "\n").replace("\r", "\n")
        assert span.start_line == before.count("\n") + 1
    for link in note.links:
        assert text[link.span.start : link.span.end].strip("!").startswith("[")
    for heading in note.headings:
        assert text[: heading.span.start] == "" or text[heading.span.start - 1] in "\r\n"
    assert all(tag and "#" not in tag and not any(char.isspace() for char in tag) for tag in note.tags)
