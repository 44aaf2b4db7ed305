"""One suite for every Decoder: the fake one, a chat model and a base model from the package index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.live.starters import starter
from vaultbridge.backends.fakes.decoder import FakeDecoder
from vaultbridge.core.dialogue import Continuation, Conversation, Message, Prompt, Sampling
from vaultbridge.core.errors import CacheFull, ModelInvalid
from vaultbridge.core.ports import Decoder, Segment

GREEDY = Sampling(temperature=0, repeat_penalty=1.0)
CONTEXT = 1024
SMALL = 256
NEARLY_EQUAL = 0.5
"""Natural logarithm: what other batch sizes do to llama.cpp's probabilities is well below it."""
MODELS = ["fake", "smollm2-135m-instruct", "gemma-3-270m"]
GARDEN = "The garden has tomatoes, beans and a pond. " * 4


def question(text: str) -> Conversation:
    return Conversation((Message("system", ("Be brief.",)), Message("user", (text,))))


@pytest.fixture(scope="module", params=MODELS)
def decoder(request: pytest.FixtureRequest) -> Iterator[Decoder]:
    yield from opened(request.param, CONTEXT, slots=4)


@pytest.fixture(scope="module", params=MODELS)
def small(request: pytest.FixtureRequest) -> Iterator[Decoder]:
    """Three slots that share the cells of one, in small batches."""
    yield from opened(request.param, SMALL, slots=3, cache=SMALL, batch=128)


def opened(name: str, context: int, **shape: Any) -> Iterator[Decoder]:
    if name == "fake":
        yield FakeDecoder(context=context, **shape)
        return
    from vaultbridge.backends.llama import LlamaDecoder

    decoder = LlamaDecoder(starter(name), name, context, **shape)
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


def answer(decoder: Decoder, prompt: Prompt, most: int = 12, sampling: Sampling = GREEDY) -> list[int]:
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
    likely = []
    for place, token in enumerate(said):
        if place == 1:
            decoder.decode([Segment(slot, position, said[:-1], outputs=len(said) - 1)])
        seen = sampler.logprob(rows[place], token)
        if isinstance(decoder, FakeDecoder):
            likely.append(sampler.sample(rows[place]) == token)
        else:
            likely.append(seen.top[0].logprob - seen.logprob < NEARLY_EQUAL)
    sampler.close()
    return all(likely)


def parting(decoder: Decoder, beginning: str, one: str, other: str) -> tuple[list[int], list[int], int]:
    """Two prompts' tokens, and how many of them they share."""
    first, second = (decoder.render(Continuation(beginning + tail))[0] for tail in (one, other))
    shared = next(i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b)
    return first, second, shared


def test_it_says_what_it_is(decoder: Decoder) -> None:
    assert decoder.info.context == CONTEXT
    assert decoder.slots == 4
    assert decoder.capacity >= CONTEXT
    assert decoder.batch_size == 512
    assert decoder.rewinds


def test_its_shape_is_as_asked(small: Decoder) -> None:
    assert (small.info.context, small.slots, small.capacity, small.batch_size) == (SMALL, 3, SMALL, 128)


@pytest.mark.parametrize(
    "text", ["hello world", "  two  spaces\n\n", "番茄要每两天浇一次水。", "emoji 🍅 und Umlaute äöü"]
)
def test_text_survives_the_tokens(decoder: Decoder, text: str) -> None:
    assert b"".join(map(decoder.token_bytes, decoder.tokenize(text))).decode() == text


def test_tokens_count_from_zero_to_the_vocabularys_size(decoder: Decoder) -> None:
    tokens = decoder.tokenize("hello world 番茄")
    assert 0 <= min(tokens) <= max(tokens) < decoder.vocabulary


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
    tokens, others, kept = parting(decoder, GARDEN, "The pond has", "The beans are")
    fresh = answer(decoder, Continuation(GARDEN + "The beans are"), 8)
    clear(decoder)
    prefill(decoder, tokens)
    assert decoder.truncate(0, kept)
    assert agrees(decoder, len(others), fresh, row=prefill(decoder, others, kept))


def test_a_copied_prefix_goes_on_as_a_fresh_one_does(decoder: Decoder) -> None:
    tokens, others, kept = parting(decoder, GARDEN, "The pond has", "The beans are")
    fresh = [answer(decoder, Continuation(GARDEN + tail), 8) for tail in ("The pond has", "The beans are")]
    clear(decoder)
    row = prefill(decoder, tokens, slot=1)
    assert decoder.copy(1, 2, kept)
    assert agrees(decoder, len(tokens), fresh[0], row=row, slot=1)
    assert agrees(decoder, len(others), fresh[1], row=prefill(decoder, others, kept, slot=2), slot=2)


def test_a_copy_outlives_what_it_was_copied_from(decoder: Decoder) -> None:
    tokens, others, kept = parting(decoder, GARDEN, "The pond has", "The beans are")
    fresh = answer(decoder, Continuation(GARDEN + "The beans are"), 8)
    clear(decoder)
    prefill(decoder, tokens, slot=1)
    assert decoder.copy(1, 2, kept)
    assert decoder.truncate(1, 0)
    prefill(decoder, decoder.render(Continuation("Something else altogether."))[0], slot=1)
    assert agrees(decoder, len(others), fresh, row=prefill(decoder, others, kept, slot=2), slot=2)


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


def test_a_prompt_and_streams_share_a_batch(decoder: Decoder) -> None:
    """What every step of the engine does: one token here, a draft there, and a piece of a prompt."""
    tokens, others, _ = parting(decoder, GARDEN, "The pond has", "The beans are")
    speaks = answer(decoder, Continuation(GARDEN + "The pond has"), 4)
    comes = answer(decoder, Continuation(GARDEN + "The beans are"), 4)
    clear(decoder)
    prefill(decoder, tokens, slot=3)
    prefill(decoder, others[:-9], slot=0)
    decoder.decode(
        [Segment(3, len(tokens), speaks[:3], outputs=3), Segment(0, len(others) - 9, others[-9:], outputs=1)]
    )
    sampler = decoder.sampler(replace(GREEDY, logprobs=1))
    if not isinstance(decoder, FakeDecoder):
        for row, token in ((0, speaks[1]), (1, speaks[2]), (2, speaks[3]), (3 + 8, comes[0])):
            seen = sampler.logprob(row, token)
            assert seen.top[0].logprob - seen.logprob < NEARLY_EQUAL
    sampler.close()
    assert agrees(decoder, len(others), comes, row=3 + 8)


def test_several_batches_say_what_one_says(small: Decoder) -> None:
    prompt = Continuation(GARDEN + "The pond has")
    tokens, _ = small.render(prompt)
    assert len(tokens) < SMALL
    fresh = answer(small, prompt, 4)
    clear(small)
    for at in range(0, len(tokens), 9):
        last = tokens[at : at + 9]
        small.decode([Segment(1, at, last, outputs=int(at + 9 >= len(tokens)))])
    assert agrees(small, len(tokens), fresh, row=len(last) - 1, slot=1)


def test_a_full_cache_says_so_and_stays_as_it_was(small: Decoder) -> None:
    prompt = Continuation("One two three four five six seven eight nine ten. One two three four five six")
    tokens, _ = small.render(prompt)
    fresh = answer(small, prompt, 6)
    clear(small)
    prefill(small, tokens)
    filling = small.render(Continuation("word " * SMALL))[0]
    left = SMALL - len(tokens) - 8
    prefill(small, filling[:left], slot=1)
    with pytest.raises(CacheFull):
        small.decode([Segment(1, left, filling[:5], outputs=1), Segment(2, 0, filling[:4])])
    # Neither took anything: each begins where it ended, and eight cells are left.
    small.decode([Segment(1, left, filling[:1]), Segment(2, 0, filling[:1], outputs=1)])
    assert small.truncate(1, 0)
    assert small.truncate(0, len(tokens) - 1)
    small.decode([Segment(0, len(tokens) - 1, tokens[-1:], outputs=1)])
    assert agrees(small, len(tokens), fresh, row=0)


def test_a_copy_takes_no_cells(small: Decoder) -> None:
    tokens = small.render(Continuation("word " * SMALL))[0][: SMALL - 40]
    clear(small)
    prefill(small, tokens)
    assert small.copy(0, 1, len(tokens))
    assert small.copy(1, 2, len(tokens) - 1)
    small.decode([Segment(slot, len(tokens) - slot // 2, tokens[:13], outputs=1) for slot in range(3)])
    with pytest.raises(CacheFull):
        small.decode([Segment(0, len(tokens) + 13, tokens[:2])])
    assert small.truncate(2, len(tokens) - 1)
    small.decode([Segment(0, len(tokens) + 13, tokens[:14])])


def test_one_sequence_may_fill_the_whole_context(small: Decoder) -> None:
    clear(small)
    prefill(small, small.render(Continuation("word " * SMALL))[0][:SMALL], slot=2)
    clear(small)


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


# --- a window that moves on -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def windowed() -> Iterator[Decoder]:
    """Gemma with a cache of its sliding window only: 512 tokens in most of its layers."""
    from vaultbridge.backends.llama import LlamaDecoder

    decoder = LlamaDecoder(starter("gemma-3-270m"), "gemma-3-270m", 1536, slots=2, ubatch=256, swa_full=False)
    yield decoder
    decoder.close()


def test_what_a_window_has_left_behind_is_refused_and_computed_again(windowed: Decoder) -> None:
    tokens = windowed.render(Continuation("The garden has tomatoes, beans and a pond. The pond has fish. " * 100))[0]
    tokens, beginning, near = tokens[:1400], tokens[:60], 1380
    fresh = go_on(windowed, len(beginning), 6, row=prefill(windowed, beginning))
    assert not windowed.rewinds
    clear(windowed)
    said = go_on(windowed, len(tokens), 4, row=prefill(windowed, tokens))
    # The end of it can be taken back, and copied.
    assert windowed.truncate(0, near)
    assert windowed.copy(0, 1, near)
    assert windowed.truncate(0, 0)
    assert agrees(windowed, len(tokens), said, row=prefill(windowed, tokens, near, slot=1), slot=1)
    # Its beginning cannot: the slot is empty then, and as good as new.
    assert not windowed.copy(1, 0, len(beginning))
    assert not windowed.truncate(1, len(beginning))
    for slot in (0, 1):
        assert agrees(windowed, len(beginning), fresh, row=prefill(windowed, beginning, slot=slot), slot=slot)


def test_within_the_window_nothing_is_refused(windowed: Decoder) -> None:
    tokens, others, kept = parting(windowed, GARDEN, "The pond has", "The beans are")
    fresh = answer(windowed, Continuation(GARDEN + "The beans are"), 6)
    clear(windowed)
    prefill(windowed, tokens)
    assert windowed.copy(0, 1, kept)
    assert agrees(windowed, len(others), fresh, row=prefill(windowed, others, kept, slot=1), slot=1)
    assert windowed.truncate(0, kept)
    assert agrees(windowed, len(others), fresh, row=prefill(windowed, others, kept))


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"GGUF", b"GGUF" + b"\xff" * 200, b"no model at all" * 100])
def test_a_damaged_file_is_refused_with_a_reason(tmp_path: Path, content: bytes) -> None:
    from vaultbridge.backends.llama import LlamaDecoder

    file = tmp_path / "broken.gguf"
    file.write_bytes(content)
    with pytest.raises(ModelInvalid, match=r"broken\.gguf"):
        LlamaDecoder(file, "broken", CONTEXT)
