"""One suite for every Decoder: the fake one, a chat model and a base model from the package index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.live.starters import starter
from vaultbridge.backends.fakes.decoder import FakeDecoder
from vaultbridge.core.dialogue import Continuation, Conversation, Message, Prompt, Sampling
from vaultbridge.core.errors import CacheFull, ModelInvalid
from vaultbridge.core.ports import Decoder, Segment

GREEDY = Sampling(temperature=0)
CONTEXT = 1024


def question(text: str) -> Conversation:
    return Conversation((Message("system", ("Be brief.",)), Message("user", (text,))))


@pytest.fixture(scope="module", params=["fake", "smollm2-135m-instruct", "gemma-3-270m"])
def decoder(request: pytest.FixtureRequest) -> Iterator[Decoder]:
    if request.param == "fake":
        yield FakeDecoder(context=CONTEXT, slots=4)
        return
    from vaultbridge.backends.llama import LlamaDecoder

    decoder = LlamaDecoder(starter(request.param), request.param, CONTEXT, slots=4)
    yield decoder
    decoder.close()


def clear(decoder: Decoder) -> None:
    for slot in range(decoder.slots):
        assert decoder.truncate(slot, 0)


def prefill(decoder: Decoder, tokens: list[int], start: int = 0, slot: int = 0) -> int:
    """The row of the last token."""
    for at in range(start, len(tokens), decoder.batch_size):
        chunk = tokens[at : at + decoder.batch_size]
        decoder.decode([Segment(slot, at, chunk, outputs=int(at + len(chunk) == len(tokens)))])
    return len(chunk) - 1


def answer(decoder: Decoder, prompt: Prompt, most: int = 24, sampling: Sampling = GREEDY) -> list[int]:
    tokens, _ = decoder.render(prompt)
    clear(decoder)
    return go_on(decoder, len(tokens), most, sampling, row=prefill(decoder, tokens))


def go_on(
    decoder: Decoder, position: int, most: int, sampling: Sampling = GREEDY, *, row: int, slot: int = 0
) -> list[int]:
    sampler = decoder.sampler(sampling)
    said: list[int] = []
    while len(said) < most and not decoder.is_end(token := sampler.sample(row)):
        said.append(token)
        decoder.decode([Segment(slot, position, [token], outputs=1)])
        position, row = position + 1, 0
    sampler.close()
    return said


def agrees(decoder: Decoder, position: int, said: list[int], *, row: int, slot: int = 0) -> bool:
    """Whether the cache would say the same, but for what other batch sizes do to almost equal choices."""
    sampler = decoder.sampler(replace(GREEDY, logprobs=1))
    rows = [row, *range(len(said) - 1)]
    for place, token in enumerate(said):
        if place == 1:
            decoder.decode([Segment(slot, position, said[:-1], outputs=len(said) - 1)])
        seen = sampler.logprob(rows[place], token)
        if seen.top and seen.top[0].logprob - seen.logprob > 1.5:
            return False
    sampler.close()
    return True


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
    clear(decoder)
    prefill(decoder, tokens)
    assert decoder.truncate(0, kept)
    assert agrees(decoder, len(others), fresh, row=prefill(decoder, others, kept))


def test_a_copied_prefix_goes_on_as_a_fresh_one_does(decoder: Decoder) -> None:
    shared = "The garden has tomatoes, beans and a pond. " * 4
    tokens, _ = decoder.render(Continuation(shared + "The pond has"))
    others, _ = decoder.render(Continuation(shared + "The beans are"))
    kept = next(i for i, (a, b) in enumerate(zip(tokens, others, strict=False)) if a != b)
    fresh = [answer(decoder, Continuation(shared + tail), 8) for tail in ("The pond has", "The beans are")]
    clear(decoder)
    row = prefill(decoder, tokens, slot=1)
    assert decoder.copy(1, 2, kept)
    assert agrees(decoder, len(tokens), fresh[0], row=row, slot=1)
    assert agrees(decoder, len(others), fresh[1], row=prefill(decoder, others, kept, slot=2), slot=2)


def test_two_sequences_in_one_batch_do_not_see_each_other(decoder: Decoder) -> None:
    prompts = [Continuation("One two three four five six"), Continuation("Monday Tuesday Wednesday Thursday")]
    alone = [answer(decoder, prompt, 1) for prompt in prompts]
    tokens = [decoder.render(prompt)[0] for prompt in prompts]
    clear(decoder)
    decoder.decode([Segment(slot, 0, tokens[slot], outputs=1) for slot in (0, 1)])
    together = []
    for row in (len(tokens[0]) - 1, len(tokens[0]) + len(tokens[1]) - 1):
        sampler = decoder.sampler(GREEDY)
        together.append([sampler.sample(row)])
        sampler.close()
    assert together == alone


def test_every_row_that_is_asked_for_can_be_sampled(decoder: Decoder) -> None:
    """What verifying a draft rests on: the rows of a batch say what one token after the other said."""
    prompt = Continuation("One two three four five six seven eight nine ten. One two three four five six")
    tokens, _ = decoder.render(prompt)
    said = answer(decoder, prompt, 5)
    clear(decoder)
    assert agrees(decoder, len(tokens), said, row=prefill(decoder, tokens))


def test_a_full_cache_says_so_and_stays_as_it_was(decoder: Decoder) -> None:
    if decoder.capacity > 4 * CONTEXT:
        pytest.skip("a cache that large takes too long to fill")
    tokens, _ = decoder.render(Continuation("word " * CONTEXT))
    clear(decoder)
    slot = 0
    with pytest.raises(CacheFull):
        for slot in range(decoder.slots):
            prefill(decoder, tokens[:CONTEXT], slot=slot)
    assert slot > 0
    before = answer(decoder, Continuation("One two three"), 3)
    assert before == answer(decoder, Continuation("One two three"), 3)


def test_the_next_prompt_begins_with_the_tokens_that_were_said(decoder: Decoder) -> None:
    first = question("Name a colour.")
    tokens, _ = decoder.render(first)
    said = answer(decoder, first, 8, Sampling(temperature=1.0, seed=3))
    text = b"".join(map(decoder.token_bytes, said)).decode(errors="replace")
    spoken = Message("assistant", (text.strip(),), tokens=tuple(said))
    follow, _ = decoder.render(Conversation((*first.messages, spoken, Message("user", ("Another?",)))))
    assert follow[: len(tokens) + len(said)] == tokens + said


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
