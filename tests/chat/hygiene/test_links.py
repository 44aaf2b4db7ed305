"""A link that we print leads somewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.chat.hygiene.streams import delays, through
from tests.retrieve.rows import chunk, update
from vaultbridge.chat.citations import LinkWriter
from vaultbridge.chat.hygiene.links import LinkFilter
from vaultbridge.chat.known_links import KnownLinks, quoted_places
from vaultbridge.core.notes import NotePath

BEES = replace(update(chunk("Garden/Bees.md", "Text.", heading=["Bees", "C# | F^"])).note, aliases=("Honey bees",))
SOIL = update(chunk("x/Soil.pdf", "Clay.", heading=["page=3"])).note
PATHS = [
    NotePath(path) for path in ("Garden/Bees.md", "A/Plan.md", "B/Plan.md", "红烧肉.md", "x/Soil.pdf", "Cafe\u0301.md")
]
KNOWN = KnownLinks(
    LinkWriter.among(PATHS),
    {note.state.path: note for note in (BEES, SOIL)},
    quoted_places(["See [[Ghost]] and [[Plan#Later|later]].", "![[picture.png]]"]),
)


def links() -> LinkFilter:
    return LinkFilter(KNOWN)


@pytest.mark.parametrize(
    "text",
    [
        "[[Bees]]",
        "[[bees|the bees]]",
        "[[Garden/Bees]] [[bees.md]]",
        "![[Bees]]",
        "[[Bees#Bees]] [[Bees#bees#c f|both]]",
        "[[B/Plan]]",
        "[[红烧肉]]",
        "[[Ghost]] [[ghost|stands in the prompt]]",
        "[[Plan#Later]]",
        "![[picture.png]]",
        "[bees](Garden/Bees.md) [web](https://example.org/a.md) [file](a.zip)",
        "[[soil.pdf#page=3]] [soil](x/Soil.pdf#page=3)",
        "[[Caf\u00e9]] [[cafe\u0301|decomposed]]",
        "`[[Nowhere]]`",
        "```\n[[Nowhere]]\n\n[[Nowhere]]\n```",
        "[x] a[0] [1] [[ ]] [[]] [[open",
        "[note](",
        "Really! Yes!",
    ],
)
def test_real_links_code_and_what_is_no_link_stay(text: str) -> None:
    assert through(links, text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("See [[Nowhere]].", "See Nowhere."),
        ("See [[Nowhere|this note]].", "See this note."),
        ("See [[Nowhere#Part]].", "See Nowhere > Part."),
        ("See ![[Nowhere]].", "See Nowhere."),
        ("See [[#Part]].", "See Part."),
        ("See [[C/Plan]].", "See C/Plan."),
        ("See [this](Nowhere.md#part).", "See this."),
        ("[[Nowhere]][[Bees]]", "Nowhere[[Bees]]"),
        ("See [[Soil]], [[Sand.pdf#page=1|sand]] and [silt](Silt.pdf).", "See Soil, sand and silt."),
    ],
)
def test_invented_links_become_words(text: str, shown: str) -> None:
    assert through(links, text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[[Bees#Dance]]", "[[Bees]]"),
        ("[[Bees#Dance|they dance]]", "[[Bees|they dance]]"),
        ("![[Bees#^a1b2]]", "![[Bees]]"),
        ("[[红烧肉#炖煮]]", "[[红烧肉]]"),
        ("[they](Garden/Bees.md#Dance)", "[they](Garden/Bees.md)"),
        ("[[Soil.pdf#page=4]]", "[[Soil.pdf]]"),
    ],
)
def test_headings_that_are_not_known_go(text: str, shown: str) -> None:
    assert through(links, text) == shown


def test_an_alias_leads_to_its_note() -> None:
    assert through(links, "[[Honey bees]]") == "[[Bees|Honey bees]]"


def test_only_brackets_are_held_and_not_for_long() -> None:
    assert delays(links, "Bees sleep in the hive, at night; and so on.") == 0
    assert delays(links, "[[" + "never closed " * 100) <= 310
    assert delays(links, "[" + "never closed " * 100) <= 310
