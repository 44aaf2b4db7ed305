"""LlamaSampler as the engine and its users rely on it, with a chat model and a base model of a large vocabulary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import llama_cpp
import numpy as np
import pytest

from tests.contracts.llama_context import LlamaContext
from tests.live.starters import starter
from vaultbridge.backends.llama_sampler import DRY_WINDOW, PENALTY_WINDOW
from vaultbridge.core.dialogue import Sampling
from vaultbridge.core.errors import InvalidRequest

STORY = "Once upon a time there was a small village by the sea. Every morning"
RHYME = "The cat sat on the mat. The dog sat on the mat. " * 3 + "The cat"
PLAIN = Sampling(temperature=0, repeat_penalty=1.0)


@pytest.fixture(scope="module", params=["smollm2-135m-instruct", "gemma-3-270m"])
def context(request: pytest.FixtureRequest) -> Iterator[LlamaContext]:
    context = LlamaContext(starter(request.param))
    yield context
    context.close()


# --- which token --------------------------------------------------------------------------------------------------


def test_greedy_takes_the_likeliest_token_every_time(context: LlamaContext) -> None:
    said = context.answer(STORY, PLAIN, most=12).tokens
    row = context.start(STORY)
    for token in said:
        assert context.logits(row).argmax() == token
        row = context.decode([token])


WAYS = {
    "default": Sampling(),
    "hot": Sampling(temperature=1.5),
    "few": Sampling(temperature=1.0, top_k=5, top_p=0.8),
    "nucleus": Sampling(temperature=1.0, top_k=0, top_p=0.5, min_p=0.0),
    "min_p": Sampling(temperature=1.3, top_k=0, top_p=1.0, min_p=0.2),
    "typical": Sampling(temperature=1.0, typical_p=0.6),
    "punished": Sampling(temperature=0.7, repeat_penalty=1.3, frequency_penalty=1.0, presence_penalty=1.0),
    "rewarded": Sampling(temperature=0.7, repeat_penalty=1.0, frequency_penalty=-1.0, presence_penalty=-2.0),
    "dry": Sampling(temperature=0.5, repeat_penalty=1.0, dry_multiplier=0.8),
    "one": Sampling(temperature=0.7, top_k=1),
    "greedy": Sampling(temperature=0, repeat_penalty=1.3),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_choice_is_the_one_among_the_whole_vocabulary(context: LlamaContext, way: str) -> None:
    """The sampler looks at a small part of the vocabulary; llama.cpp's own chain, at all of it, says the same."""
    sampling = replace(WAYS[way], seed=11)
    said = context.answer(RHYME, sampling, most=10).tokens
    breakers = (llama_cpp.ctypes.c_char_p * 1)(b"\n")
    parts = [
        llama_cpp.llama_sampler_init_penalties(
            context.size,
            PENALTY_WINDOW,
            sampling.repeat_penalty,
            sampling.frequency_penalty,
            sampling.presence_penalty,
        ),
        llama_cpp.llama_sampler_init_dry(
            context.vocabulary, sampling.dry_multiplier, sampling.dry_base, sampling.dry_allowed_length, DRY_WINDOW,
            breakers, 1,
        ),
    ]  # fmt: skip
    if sampling.temperature:
        parts += [
            llama_cpp.llama_sampler_init_top_k(sampling.top_k),
            llama_cpp.llama_sampler_init_typical(sampling.typical_p, 1),
            llama_cpp.llama_sampler_init_top_p(sampling.top_p, 1),
            llama_cpp.llama_sampler_init_min_p(sampling.min_p, 1),
            llama_cpp.llama_sampler_init_temp(sampling.temperature),
            llama_cpp.llama_sampler_init_dist(11),
        ]
    else:
        parts.append(llama_cpp.llama_sampler_init_greedy())
    chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
    for part in parts:
        llama_cpp.llama_sampler_chain_add(chain, part)
    row, expected = context.start(RHYME), []
    for _ in said:
        token = llama_cpp.llama_sampler_sample(chain, context.context, row)
        expected.append(token)
        row = context.decode([token])
    llama_cpp.llama_sampler_free(chain)
    assert list(said) == expected


def test_a_seed_repeats_an_answer_and_its_neighbour_gives_another(context: LlamaContext) -> None:
    said = {seed: context.answer(STORY, Sampling(temperature=1.5, seed=seed)).tokens for seed in (10, 11, 12)}
    assert len(set(said.values())) == 3
    assert context.answer(STORY, Sampling(temperature=1.5, seed=11)).tokens == said[11]


def test_without_a_seed_answers_differ(context: LlamaContext) -> None:
    assert len({context.answer(STORY, Sampling(temperature=1.5)).tokens for _ in range(3)}) > 1


@pytest.mark.parametrize("only", [{"top_k": 1}, {"top_p": 0.0}, {"min_p": 1.0}], ids=["top_k", "top_p", "min_p"])
def test_what_leaves_one_candidate_is_greedy(context: LlamaContext, only: dict[str, float]) -> None:
    narrow = Sampling(temperature=1.5, **only)  # type: ignore[arg-type]
    assert context.answer(STORY, narrow).tokens == context.answer(STORY, Sampling(temperature=0)).tokens


# --- penalties ----------------------------------------------------------------------------------------------------


def test_penalties_leave_the_prompt_alone(context: LlamaContext) -> None:
    strong = replace(PLAIN, repeat_penalty=2.0, presence_penalty=2.0)
    assert context.answer(RHYME, strong, most=1).tokens == context.answer(RHYME, PLAIN, most=1).tokens


def test_penalties_punish_what_the_answer_repeats(context: LlamaContext) -> None:
    def most_often(sampling: Sampling) -> int:
        said = context.answer(RHYME, sampling, most=20).tokens
        return max(said.count(token) for token in said)

    free = most_often(PLAIN)
    assert free > 2, "the rhyme goes on and on"
    for punished in (
        replace(PLAIN, frequency_penalty=2.0),
        replace(PLAIN, repeat_penalty=2.0),
        replace(PLAIN, presence_penalty=2.0, repeat_penalty=1.3),
    ):
        assert most_often(punished) < free


def test_dry_breaks_a_loop(context: LlamaContext) -> None:
    def loops(sampling: Sampling) -> bool:
        said = context.answer(RHYME, sampling, most=40).tokens
        return any(said[i : i + 8] in (said[j : j + 8] for j in range(i)) for i in range(8, len(said) - 8))

    assert loops(PLAIN)
    assert not loops(replace(PLAIN, dry_multiplier=2.0))


# --- single tokens ------------------------------------------------------------------------------------------------


def test_a_bias_bans_a_token_and_forces_one(context: LlamaContext) -> None:
    free = context.answer(STORY, PLAIN).tokens
    banned = context.answer(STORY, replace(PLAIN, logit_bias=((free[0], -100.0),))).tokens
    assert free[0] not in banned
    (wanted,) = context.tokenize(" tomato")[:1]
    forced = context.answer(STORY, Sampling(seed=1, logit_bias=((wanted, 100.0), (free[0], -100.0))), most=6)
    assert set(forced.tokens) == {wanted}


def test_a_bias_is_added_to_the_logit(context: LlamaContext) -> None:
    """Just too little and just enough to overtake the likeliest token."""
    logits = context.logits(context.start(STORY))
    best, third = np.argsort(-logits)[[0, 2]]
    gap = float(logits[best] - logits[third])
    for more, wins in ((gap - 0.01, best), (gap + 0.01, third)):
        assert context.answer(STORY, replace(PLAIN, logit_bias=((int(third), more),)), most=1).tokens == (wins,)


@pytest.mark.parametrize("token", [-1, 10_000_000])
def test_a_bias_on_no_token_is_refused(context: LlamaContext, token: int) -> None:
    with pytest.raises(InvalidRequest) as refused:
        context.sampler(Sampling(logit_bias=((token, 1.0),)))
    assert refused.value.param == "logit_bias"


def test_no_end_comes_before_its_time(context: LlamaContext) -> None:
    eager = Sampling(seed=3, logit_bias=tuple((token, 60.0) for token in context.ends()))
    assert context.answer(STORY, eager).tokens == ()
    for sampling in (eager, replace(eager, temperature=0), replace(eager, top_k=0)):
        late = context.answer(STORY, replace(sampling, min_tokens=5))
        assert (len(late.tokens), late.ended) == (5, True)
        never = context.answer(STORY, replace(sampling, ignore_eos=True))
        assert (len(never.tokens), never.ended) == (12, False)


# --- log probabilities --------------------------------------------------------------------------------------------


def test_log_probabilities_are_the_models_own(context: LlamaContext) -> None:
    row = context.start(STORY)
    logits = context.logits(row).astype(np.float64)
    shares = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    # What the sampler does to the logits must not show.
    sampler = context.sampler(
        Sampling(temperature=0.1, logprobs=5, logit_bias=((7, 50.0),), repeat_penalty=2.0, top_k=3, seed=1)
    )
    token = sampler.sample(row)
    for one in (token, 7, int(shares.argmax()), int(shares.argmin())):
        found = sampler.logprob(row, one)
        assert found.logprob == pytest.approx(np.log(shares[one]), abs=1e-4)
        assert (found.data, found.text) == (context.piece(one), context.piece(one).decode(errors="replace"))
        assert [top.logprob for top in found.top] == pytest.approx(np.log(np.sort(shares)[::-1][:5]), abs=1e-4)
        assert [top.data for top in found.top] == [context.piece(int(i)) for i in np.argsort(-shares)[:5]]
    sampler.close()


def test_alternatives_only_where_they_are_asked_for(context: LlamaContext) -> None:
    row = context.start(STORY)
    for asked in (None, 0):
        sampler = context.sampler(Sampling(logprobs=asked))
        assert sampler.logprob(row, sampler.sample(row)).top == ()
        sampler.close()


# --- rows and neighbours ------------------------------------------------------------------------------------------


def test_each_row_of_a_batch_has_its_own_token(context: LlamaContext) -> None:
    """As a draft is verified: one sampler over consecutive rows."""
    last = context.start(STORY, every=True)
    sampler = context.sampler(PLAIN)
    assert [sampler.sample(row) for row in range(last + 1)] == [
        int(context.logits(row).argmax()) for row in range(last + 1)
    ]
    sampler.close()


def test_samplers_of_one_context_know_nothing_of_each_other(context: LlamaContext) -> None:
    row = context.start(STORY)
    ways = [Sampling(temperature=1.2, seed=5, repeat_penalty=1.5), Sampling(temperature=0, repeat_penalty=2.0)]

    def alone(sampling: Sampling) -> list[int]:
        sampler = context.sampler(sampling)
        said = [sampler.sample(row) for _ in range(12)]
        sampler.close()
        return said

    apart = [alone(way) for way in ways]
    samplers = [context.sampler(way) for way in ways]
    together = [[sampler.sample(row) for sampler in samplers] for _ in range(12)]
    for sampler in samplers:
        sampler.close()
    assert [list(said) for said in zip(*together, strict=True)] == apart
