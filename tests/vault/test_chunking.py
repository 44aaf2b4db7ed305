"""Chunks: exact, whole, of bearable size, and still the same when something else was edited."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path
from statistics import mean

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vaultbridge.core.notes import Chunk, FileState, Note, NotePath
from vaultbridge.vault.atoms import Atoms
from vaultbridge.vault.chunking import MAX, MAX_HEADER, MAX_PATH, MIN, chunk
from vaultbridge.vault.markdown import parse
from vaultbridge.vault.measure import clip, measure, reach
from vaultbridge.vault.structure import Structure

VAULTS = Path(__file__).parents[3] / "shared" / "vaults"


def parsed(text: str, path: str = "My Note.md") -> Note:
    return parse(text, FileState(NotePath(path), 1, 2, "0" * 64))[0]


def chunks(text: str, path: str = "My Note.md") -> tuple[Chunk, ...]:
    return chunk(parsed(text, path))


def sentence(rng: random.Random, words: int = 12) -> str:
    return " ".join("".join(rng.choices("abcdefghij", k=rng.randint(2, 9))) for _ in range(words)).capitalize() + "."


def paragraphs(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(sentence(rng) for _ in range(rng.randint(1, 5))) for _ in range(count)]


def check(note: Note, found: tuple[Chunk, ...]) -> None:
    """What holds for the chunks of every note."""
    structure = Structure(note.text)
    lost = [char.isspace() or place < structure.body for place, char in enumerate(note.text)]
    for block in structure.blocks:
        if block.kind == "comment":
            lost[block.start : block.end] = [True] * (block.end - block.start)
    assert [piece.ordinal for piece in found] == list(range(len(found)))
    for piece in found:
        span = piece.span
        assert piece.note == note.path
        assert piece.text == note.text[span.start : span.end]
        assert piece.text.strip()
        assert piece.text == piece.text.rstrip()
        assert measure(piece.text) <= MAX
        assert measure(piece.context) <= MAX_PATH + MAX_HEADER
        assert span.start_line == structure.span(span.start, span.start + 1).start_line
        assert span.end_line == structure.span(span.end - 1, span.end).end_line
        # Neither front matter nor a block comment is in a chunk, nor is anything in two.
        for place in range(span.start, span.end):
            assert note.text[place].isspace() or not lost[place]
            lost[place] = True
    assert all(one.span.end <= two.span.start for one, two in pairwise(found))
    assert all(lost)


MARKS = [
    "# H\n", "## **I**\n", "- ", "  - ", "1. ", "> ", "> [!note] T\n", "---\n", "```\n", "$$\n", "%%\n", "%% c %%\n",
    "| a | b |\n|---|---|\n", "| c | d |\n", "\n", "\n\n", "\r\n", "\r", "\t", "    ", "[[link]] ", "`code` ", "$x$ ",
    "<div>\n", "<!-- c -->\n", "[^1]: note\n", "[ref]: x.md\n", "\u2028", "\x0b", "\x0c\n", "\u3000", "\0", "🎉", "é́ ",
    "語" * 40 + "。", "Some words that make a sentence. " * 8, "w" * 300 + " ", "١٢٣ ",
]  # fmt: skip
any_text = st.tuples(st.lists(st.sampled_from(MARKS) | st.text(max_size=4), max_size=60), st.integers(1, 6)).map(
    lambda made: "".join(made[0]) * made[1]
)


@settings(max_examples=250, deadline=None)
@given(any_text)
@example("")
@example("---\na: 1\n---\n")
@example("%%\nonly a comment\n%%\n")
@example("a" * 20_000)
@example("- a\n" * 2_000)
@example("> " * 150 + "deep\n\n# After\n")
@example("  " * 60 + "".join(f"{'  ' * depth}- item\n" for depth in range(60)) + "\n# After\n")
def test_chunks_are_the_note_to_the_letter(text: str) -> None:
    note = parsed(text)
    found = chunk(note)
    check(note, found)
    assert found == chunk(note)


@settings(max_examples=150, deadline=None)
@given(any_text, st.integers(1, 40))
def test_atoms_of_any_size_lose_nothing(text: str, limit: int) -> None:
    structure = Structure(text)
    for block in structure.blocks:
        found = Atoms(structure, limit).of(block)
        assert all(atom.size == measure(text[atom.start : atom.end]) <= limit for atom in found)
        assert all(one.end <= two.start for one, two in pairwise(found))
        kept = "".join(text[atom.start : atom.end] for atom in found)
        assert "".join(kept.split()) == "".join(text[block.start : block.end].split())


def test_nothing_to_say_gives_no_chunk() -> None:
    for text in ["", "\n \n", "---\ntitle: x\n---\n\n", "%% c %%\n", "%%\na\n\nb\n%%"]:
        assert chunks(text) == ()


# --- sections and what they are called ----------------------------------------------------------------------------


def test_a_chunk_lies_in_one_section_and_knows_its_headings() -> None:
    found = chunks("Intro.\n\n# One\n\ntext\n\n### Deep\n\ntext\n\n## Two\n\ntext\n\n# Three\n\ntext\n")
    assert [piece.heading for piece in found] == [(), ("One",), ("One", "Deep"), ("One", "Two"), ("Three",)]
    assert [piece.text.split("\n")[0] for piece in found] == ["Intro.", "# One", "### Deep", "## Two", "# Three"]
    assert [piece.span.start_line for piece in found] == [1, 3, 7, 11, 15]


def test_a_heading_without_text_goes_with_its_first_child() -> None:
    found = chunks("# One\n\n## Two\n### Three\n\ntext\n\n## Four\n\n## Five\ntext")
    assert [(piece.heading, piece.text) for piece in found] == [
        (("One", "Two", "Three"), "# One\n\n## Two\n### Three\n\ntext"),
        (("One", "Four"), "## Four"),
        (("One", "Five"), "## Five\ntext"),
    ]


def test_context_is_title_and_headings() -> None:
    text = "---\naliases: [Alias, 別名]\n---\nIntro.\n\n# My Note\n\n## **Part** [[x|two]]\n\ntext\n\n# Other\n\ntext"
    assert [piece.context for piece in chunks(text)] == [
        "My Note (Alias, 別名)",
        "My Note > Part two",
        "My Note > Other",
    ]


def test_context_is_bounded_and_keeps_title_and_last_heading() -> None:
    text = "".join(f"{'#' * level} {f'level{level} ' * 40}\n\n" for level in range(1, 7)) + "text"
    [*_, last] = chunks(text, "A title.md")
    assert last.context.startswith("A title > ")
    assert "level6" in last.context
    assert measure(last.context) <= MAX_PATH


def test_moving_a_folder_changes_no_digest() -> None:
    text = "---\naliases: [a]\n---\n# H\n\n" + "\n\n".join(paragraphs(1, 30))
    before, after = chunks(text, "a/My Note.md"), chunks(text, "b/c/My Note.md")
    assert [piece.digest for piece in before] == [piece.digest for piece in after]
    assert len(before) > 3


def test_block_comments_are_left_out_and_inline_ones_stay() -> None:
    found = chunks("One %%aside%% word.\n%%\nsecret\n\n# secret\n%%\nTwo.\n\n%% secret %%\n\nThree.")
    assert [piece.text for piece in found] == ["One %%aside%% word.", "Two.", "Three."]


# --- where blocks are cut -----------------------------------------------------------------------------------------


def test_a_fence_that_fits_is_never_cut() -> None:
    rng = random.Random(1)
    fence = "```python\n" + "\n\n".join(sentence(rng, 6) for _ in range(20)) + "\n```"
    assert MIN < measure(fence) < MAX
    found = chunks("\n\n".join([*paragraphs(2, 10), fence, *paragraphs(3, 10)]))
    assert sum(fence in piece.text for piece in found) == 1


def test_a_longer_fence_is_cut_at_line_ends() -> None:
    lines = [sentence(random.Random(number), 9) for number in range(80)]
    found = chunks("~~~\n" + "\n".join(lines) + "\n~~~")
    assert len(found) > 1
    assert {line for piece in found for line in piece.text.split("\n")} == {"~~~", *lines}


def test_a_table_is_cut_between_rows_and_repeats_its_header() -> None:
    header = "| Key | Meaning |\n|-----|---------|"
    rows = [f"| key{number} | {sentence(random.Random(number), 8)} |" for number in range(60)]
    found = chunks("\n".join([header, *rows]))
    assert len(found) > 2
    assert found[0].text.startswith(header)
    assert found[0].context == "My Note"
    assert all(piece.context == "My Note\n| Key | Meaning |" for piece in found[1:])
    assert [line for piece in found for line in piece.text.split("\n")] == [*header.split("\n"), *rows]


def test_a_list_is_cut_between_items_and_only_long_items_inside() -> None:
    items = [
        f"- {sentence(random.Random(number), 10)}\n  - {sentence(random.Random(-number), 9)}" for number in range(40)
    ]
    found = chunks("\n".join(items))
    assert len(found) > 2
    assert all(piece.text.startswith("- ") for piece in found)


def test_a_callout_is_cut_between_its_blocks() -> None:
    quoted = [f"> {paragraph}\n>" for paragraph in paragraphs(5, 25)]
    found = chunks("> [!note] Title\n" + "\n".join(quoted))
    assert len(found) > 2
    assert all(piece.text.startswith("> ") for piece in found)


@pytest.mark.parametrize("stop", [". ", "! ", "? ", '." ', "。", "！", "？」", "；", "……"])
def test_a_long_paragraph_is_cut_at_sentence_ends(stop: str) -> None:
    sentences = [
        f"{'语言' * 12}{number}" if ord(stop[0]) > 255 else f"Word {number} of many words" for number in range(300)
    ]
    text = stop.join(sentences) + stop
    found = chunks(text)
    assert len(found) > 2
    assert all(piece.text.endswith(stop.rstrip()) for piece in found)


def test_what_is_not_prose_is_not_cut_inside_a_paragraph() -> None:
    parts = ["[[A. B. C|one. Two]]", "$a. b = c. d$", "`x. y. z`", "[a. b](c.md)", "$$e. f$$"]
    text = "".join(f"word {parts[number % 5]} word" + (". " if number % 3 else " ") for number in range(400))
    found = chunks(text)
    assert len(found) > 5
    assert sum(piece.text.count(part) for piece in found for part in parts) == 400


def test_a_piece_that_is_too_small_is_avoided() -> None:
    text = "# H\n\n" + "\n\n".join(paragraphs(7, 120))
    sizes = [measure(piece.text) for piece in chunks(text)]
    assert min(sizes) >= MIN
    assert MAX / 3 < mean(sizes) < MAX


# --- edits --------------------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["append", "begin", "insert", "delete", "replace"]))
def test_most_edits_of_a_long_section_embed_three_chunks_at_most(seed: int, edit: str) -> None:
    before = paragraphs(seed, 60)
    digests = {piece.digest for piece in chunks("\n\n".join(before))}
    counts = []
    for place in range(0, 60, 6):
        after = list(before)
        if edit == "append":
            after[place] += " And a little more at its end."
        elif edit == "begin":
            after[place] = "Something new. " + after[place]
        elif edit == "insert":
            after.insert(place, "A new paragraph of one sentence.")
        elif edit == "delete":
            del after[place]
        else:
            after[place] = paragraphs(seed + 5000, 1)[0]
        counts.append(len({piece.digest for piece in chunks("\n\n".join(after))} - digests))
    assert sum(count <= 3 for count in counts) >= 8
    assert mean(counts) <= 2


def test_an_edit_in_one_section_leaves_the_others() -> None:
    parts = [f"# Section {number}\n\n" + "\n\n".join(paragraphs(number, 12)) for number in range(6)]
    edited = [*parts]
    edited[2] = edited[2].replace(".", "!", 3)
    before = {piece.digest: piece.heading for piece in chunks("\n\n".join(parts))}
    after = {piece.digest: piece.heading for piece in chunks("\n\n".join(edited))}
    assert {heading for digest, heading in after.items() if digest not in before} == {("Section 2",)}


# --- the measure --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", 0), (" \n\t", 0), ("a", 1), ("words", 1), ("longer", 2), ("two words", 2), ("汉字かなカナ한글", 8),
        ("слово", 2), ("2024-05-06", 6), ("-" * 9, 3), ("a.b", 3), ("é_1", 3),
    ],
)  # fmt: skip
def test_measure(text: str, size: int) -> None:
    assert measure(text) == size


@given(st.text(), st.text())
def test_joined_texts_never_measure_more_than_their_sum(one: str, two: str) -> None:
    assert measure(one + two) <= measure(one) + measure(two)
    assert measure(one + " " + two) == measure(one) + measure(two)


@given(st.text(), st.integers(1, 10))
def test_reach_and_clip_stay_within_their_limit(text: str, limit: int) -> None:
    end = reach(text, 0, len(text), limit)
    assert measure(text[:end]) <= limit
    assert end > 0 or not text
    assert measure(clip(text, limit)) <= limit


# --- real vaults --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vault", ["tasks-docs", "obsidian-help"])
def test_real_vaults(vault: str) -> None:
    if not (VAULTS / vault).is_dir():
        pytest.skip(f"the real vault {vault} is not on this computer")
    for file in sorted((VAULTS / vault).rglob("*.md")):
        note = parsed(file.read_bytes().decode(), file.name)
        found = chunk(note)
        check(note, found)
        for block in Structure(note.text).blocks:
            stretch = note.text[block.start : block.end].rstrip()
            pieces = [
                piece
                for piece in found
                if piece.span.start < block.start + len(stretch) and piece.span.end > block.start
            ]
            if block.kind in ("fence", "table") and measure(stretch) <= MAX:
                assert len(pieces) == 1, f"{file}: {block.kind} is cut"
            elif block.kind == "table":
                header = clip(" ".join(stretch.splitlines()[0].split()), MAX_HEADER)
                assert all(piece.context.endswith(f"\n{header}") for piece in pieces[1:])
