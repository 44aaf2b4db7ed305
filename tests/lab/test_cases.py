"""Questions made from links: nothing in them may give their answer away."""

from __future__ import annotations

import pytest

from vaultbridge.core.notes import FileState, Note, NotePath
from vaultbridge.lab.cases import collection_cases, link_cases
from vaultbridge.lab.collection import Collection
from vaultbridge.vault.markdown import parse

TARGET = "---\naliases: [Apis mellifera]\n---\nThey sleep in the hive.\n"


def note(path: str, text: str) -> Note:
    return parse(text, FileState(NotePath(path), 1, len(text), "0"))[0]


def asked(text: str) -> list[str]:
    """The questions that a note beside the target gives."""
    return [case.text for case in link_cases([note("From.md", text), note("Garden/Honey bees.md", TARGET)])]


@pytest.mark.parametrize(
    "link",
    ["[[Honey bees]]", "[[Garden/Honey bees|our bees]]", "[our bees](Garden/Honey%20bees.md)", "[[Honey bees#Hive]]"],
)
def test_the_link_and_its_words_are_taken_out(link: str) -> None:
    (text,) = asked(f"It rains. Smoke calms {link} when the weather turns cold. Then it snows.")
    assert text == "Smoke calms when the weather turns cold"


def test_the_targets_names_are_taken_out_wherever_they_stand() -> None:
    (text,) = asked("The honey bees (apis mellifera) fear smoke, rain, hail and snow: see [[Honey bees]]")
    assert "bees" not in text.casefold()
    assert "apis" not in text.casefold()


def test_other_links_are_read_as_words() -> None:
    (text,) = asked("With [[Rain|heavy rain]] and [hail](Hail.md) every morning [[Honey bees]] stay inside")
    assert text == "With heavy rain and hail every morning stay inside"


@pytest.mark.parametrize(
    "text",
    [
        "See [[Honey bees]].",
        "[[Nowhere]] has much rain, hail, snow and smoke.",
        "[[From]] has rain, hail, snow, smoke.",
    ],
)
def test_what_could_mean_any_note_or_none_is_not_asked(text: str) -> None:
    assert asked(text) == []


def test_the_note_that_links_is_left_out_and_the_target_is_right() -> None:
    (case,) = link_cases(
        [note("From.md", "Smoke calms [[Honey bees]] in rain, hail and snow."), note("Garden/Honey bees.md", TARGET)]
    )
    assert case.without == ("From.md",)
    assert case.relevant == {"Garden/Honey bees.md": 1}


def test_a_collections_answers_are_its_notes() -> None:
    collection = Collection({"d1": ("", "x")}, {"q": "what"}, {"q": {"d1": 2, "gone": 1}})
    (case,) = collection_cases(collection, {NotePath("0.md"): "d1"})
    assert (case.text, case.relevant, case.without) == ("what", {"0.md": 2}, ())
