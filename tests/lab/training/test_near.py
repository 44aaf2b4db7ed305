"""Near-duplicates are found, and nothing else."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from vaultbridge.lab.training.near import Shelf, are_near, shingles, words

TEXTS = st.lists(st.sampled_from("amber birch cedar delta ember fjord 蜜 蜂 冬".split()), max_size=12).map(" ".join)


@given(TEXTS, TEXTS)
def test_nearness_is_mutual_and_everything_is_near_to_itself(one: str, other: str) -> None:
    first, second = shingles(one), shingles(other)
    assert are_near(first, first)
    assert are_near(first, second) == are_near(second, first)


@given(st.lists(TEXTS, max_size=12), TEXTS)
def test_what_a_shelf_finds_is_near_and_the_same_text_is_always_found(texts: list[str], asked: str) -> None:
    shelf: Shelf[str] = Shelf()
    for text in texts:
        shelf.add(text, shingles(text))
    found = shelf.near(shingles(asked))
    assert all(are_near(shingles(text), shingles(asked)) for text in found)
    if any(words(text) == words(asked) for text in texts):
        assert any(words(text) == words(asked) for text in found)


def test_an_edited_text_is_found_among_many_others() -> None:
    chance = Random(1)
    texts = [" ".join(f"w{chance.randrange(5000)}" for _ in range(60)) for _ in range(500)]
    shelf: Shelf[int] = Shelf()
    for number, text in enumerate(texts):
        shelf.add(number, shingles(text))
    for number, text in enumerate(texts):
        said = text.split()
        said[chance.randrange(60)] = "changed"
        assert shelf.near(shingles(" ".join(said).upper() + "!")) == [number]
