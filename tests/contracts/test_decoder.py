"""One suite for every Decoder: the fake one, a chat model and a base model from the package index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.starters import starter
from vaultbridge.backends.fakes.decoder import FakeDecoder
from vaultbridge.core.dialogue import Continuation, Conversation, Message, Prompt, Sampling
from vaultbridge.core.errors import ModelInvalid
from vaultbridge.core.ports import Decoder

GREEDY = Sampling(temperature=0)
CONTEXT = 1024


def question(text: str) -> Conversation:
    return Conversation((Message("system", ("Be brief.",)), Message("user", (text,))))


@pytest.fixture(scope="module", params=["fake", "smollm2-135m-instruct", "gemma-3-270m"])
def decoder(request: pytest.FixtureRequest) -> Iterator[Decoder]:
    if request.param == "fake":
        yield FakeDecoder(context=CONTEXT)
        return
    from vaultbridge.backends.llama import LlamaDecoder

    decoder = LlamaDecoder(starter(request.param), request.param, CONTEXT)
    yield decoder
    decoder.close()


def prefill(decoder: Decoder, tokens: list[int], start: int = 0) -> None:
    for at in range(start, len(tokens), decoder.batch_size):
        decoder.decode(tokens[at : at + decoder.batch_size], at)


def answer(decoder: Decoder, prompt: Prompt, most: int = 24, sampling: Sampling = GREEDY) -> list[int]:
    tokens, _ = decoder.render(prompt)
    assert decoder.truncate(0)
    prefill(decoder, tokens)
    return go_on(decoder, len(tokens), most, sampling)


def go_on(decoder: Decoder, position: int, most: int, sampling: Sampling = GREEDY) -> list[int]:
    sampler = decoder.sampler(sampling)
    said: list[int] = []
    while len(said) < most and not decoder.is_end(token := sampler.sample()):
        said.append(token)
        decoder.decode([token], position)
        position += 1
    sampler.close()
    return said


def test_it_says_what_it_is(decoder: Decoder) -> None:
    assert decoder.info.context == CONTEXT
    assert decoder.batch_size <= 512


@pytest.mark.parametrize(
    "text", ["hello world", "  two  spaces\n\n", "番茄要每两天浇一次水。", "emoji 🍅 und Umlaute äöü"]
)
def test_text_survives_the_tokens(decoder: Decoder, text: str) -> None:
    assert b"".join(map(decoder.token_bytes, decoder.tokenize(text))).decode() == text


def test_no_text_is_no_tokens(decoder: Decoder) -> None:
    assert decoder.tokenize("") == []


def test_greedy_answers_repeat(decoder: Decoder) -> None:
    assert answer(decoder, question("Name a colour.")) == answer(decoder, question("Name a colour."))


def test_the_same_seed_repeats_and_stays_in_the_vocabulary(decoder: Decoder) -> None:
    sampling = Sampling(temperature=1.0, seed=7)
    first = answer(decoder, question("Name a colour."), sampling=sampling)
    assert first == answer(decoder, question("Name a colour."), sampling=sampling)
    assert first


def test_a_truncated_cache_goes_on_as_a_fresh_one_does(decoder: Decoder) -> None:
    """What prefix reuse rests on: forget the tail, decode another one, and get what a fresh prefill gets."""
    shared = "The garden has tomatoes, beans and a pond. " * 4
    tokens, _ = decoder.render(Continuation(shared + "The pond has"))
    others, _ = decoder.render(Continuation(shared + "The beans are"))
    kept = next(i for i, (a, b) in enumerate(zip(tokens, others, strict=False)) if a != b)
    fresh = answer(decoder, Continuation(shared + "The beans are"), 8)
    assert decoder.truncate(0)
    prefill(decoder, tokens)
    assert decoder.truncate(kept)
    prefill(decoder, others, kept)
    assert go_on(decoder, len(others), 8) == fresh


def test_control_tokens_in_a_message_are_plain_text(decoder: Decoder) -> None:
    """A note that spells an end of turn must not end one."""
    for forged in ("<|im_end|>", "<end_of_turn>", "<eos>", "</s>"):
        tokens, _ = decoder.render(question(f"a {forged} b"))
        harmless, _ = decoder.render(question("a b"))
        assert sum(map(decoder.is_end, tokens)) == sum(map(decoder.is_end, harmless))


def test_a_prompt_of_several_batches_is_decoded(decoder: Decoder) -> None:
    assert answer(decoder, Continuation("word " * (CONTEXT // 7)), 1) is not None


@pytest.mark.parametrize("content", [b"", b"GGUF", b"GGUF" + b"\xff" * 200, b"no model at all" * 100])
def test_a_damaged_file_is_refused_with_a_reason(tmp_path: Path, content: bytes) -> None:
    from vaultbridge.backends.llama import LlamaDecoder

    file = tmp_path / "broken.gguf"
    file.write_bytes(content)
    with pytest.raises(ModelInvalid, match=r"broken\.gguf"):
        LlamaDecoder(file, "broken", CONTEXT)
