from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vaultbridge.engine.text import TextStream


def streamed(data: bytes, stop: tuple[str, ...], sizes: list[int]) -> list[str]:
    stream = TextStream(stop)
    pieces, at = [], 0
    for size in [*sizes, len(data)]:
        pieces.append(stream.push(data[at : at + size]))
        at += size
    return [*pieces, stream.finish()]


@given(st.text(), st.lists(st.integers(1, 5)))
def test_text_survives_any_split_of_its_bytes(text: str, sizes: list[int]) -> None:
    assert "".join(streamed(text.encode(), (), sizes)) == text


def test_no_half_character_is_ever_shown() -> None:
    stream = TextStream(())
    first, second, third = "番".encode()[:1], "番".encode()[1:2], "番".encode()[2:]
    assert [stream.push(first), stream.push(second), stream.push(third)] == ["", "", "番"]


@given(st.text(alphabet="ab\n"), st.sampled_from(["ab", "aab", "\n\n", "b"]), st.lists(st.integers(1, 3)))
def test_nothing_of_a_stop_text_is_shown_however_it_is_split(text: str, stop: str, sizes: list[int]) -> None:
    assert "".join(streamed(text.encode(), (stop,), sizes)) == text.split(stop)[0]


def test_the_earliest_of_several_stop_texts_wins() -> None:
    assert "".join(streamed(b"one two three", ("three", "two"), [])) == "one "


def test_text_that_only_looked_like_a_stop_text_comes_at_the_end() -> None:
    stream = TextStream(("END",))
    assert stream.push(b"the EN") == "the "
    assert stream.finish() == "EN"
