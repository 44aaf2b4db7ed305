"""How a model is run: by the memory that there is, and by what the user wants."""

from __future__ import annotations

from typing import Any

import pytest

from vaultbridge.catalog.fitting import ALL_LAYERS, Plan, Wish, plan, room_of
from vaultbridge.catalog.gguf_header import GgufHeader, Tensor
from vaultbridge.core.machine import Memory

GB = 1_000_000_000
WEIGHTS = (
    Tensor("token_embd.weight", (2560, 262144), "q4_0"),
    *(Tensor(f"blk.{layer}.ffn_up.weight", (2560, 10240 * 9), "q4_0") for layer in range(16)),
)
"""2.5 GB of them."""


def header(**keys: Any) -> GgufHeader:
    figures = {
        "block_count": 34,
        "context_length": 131_072,
        "embedding_length": 2560,
        "feed_forward_length": 10240,
        "attention.head_count": 8,
        "attention.head_count_kv": 4,
        "attention.key_length": 256,
        "attention.value_length": 256,
    } | keys
    return GgufHeader({"general.architecture": "llama", **{f"llama.{key}": figures[key] for key in figures}}, WEIGHTS)


def on(gigabytes: float, **options: Any) -> Plan:
    """On a computer with so much available: a token takes 139 kB of the cache, a context of 8,192 1.1 GB."""
    gpu = options.pop("gpu", 0)
    memory = Memory(64 * GB, round(gigabytes * GB), round(gpu * GB), options.pop("shared", False))
    others = options.pop("others", 0)
    return plan(header(**options.pop("keys", {})), memory, Wish(**options), others)


@pytest.mark.parametrize(
    ("gigabytes", "context", "cache"),
    [
        (100, 32_768, 65_536),  # its cache of 9.1 GB is less than an eighth
        (60, 16_384, 32_768),
        (12, 8192, 16_384),  # two conversations of 8,192
        (5, 8192, 8192),  # one
        (4.2, 4096, 4096),
        (3.6, 2048, 2048),
    ],
)
def test_the_more_memory_the_longer_the_context(gigabytes: float, context: int, cache: int) -> None:
    found = on(gigabytes)
    assert found.fits
    assert (found.context, found.cache) == (context, cache)


def test_a_model_that_does_not_fit_is_run_as_small_as_it_gets_and_says_so() -> None:
    found = on(2)
    assert not found.fits
    assert (found.context, found.cache) == (2048, 2048)


def test_other_models_take_their_part() -> None:
    assert on(12, others=8 * GB).cache < on(12).cache


def test_what_the_user_sets_is_kept_to() -> None:
    found = on(100, context=1000, slots=3, cache=5000)
    assert (found.context, found.slots, found.cache) == (1000, 3, 5000)
    assert on(3.6, context=8192).context == 8192, "even if it does not fit"
    assert not on(3.6, context=8192).fits
    assert on(100, context=60_000).context == 60_000, "and however much of the memory it takes"


def test_a_context_never_passes_what_the_model_was_trained_on() -> None:
    assert on(100, keys={"context_length": 2048}).context == 2048
    assert on(100, keys={"context_length": 2048}, context=8192).context == 2048
    assert on(100, keys={"context_length": 20_000}).context == 16_384


def test_every_conversation_finds_its_least_part_of_the_cache() -> None:
    assert on(100).slots == 8
    assert on(3.6, context=1024, cache=1024).slots == 2
    assert on(100, context=512, cache=512, keys={"context_length": 512}).slots == 1


def test_without_a_gpu_all_layers_are_on_the_cpu() -> None:
    assert on(12).gpu_layers == 0


def test_a_large_card_takes_all_layers_and_a_small_one_some() -> None:
    assert on(12, gpu=12).gpu_layers == ALL_LAYERS
    some = on(12, gpu=3).gpu_layers
    assert 0 < some < 34
    assert on(12, gpu=2).gpu_layers < some
    assert on(12, gpu=0.01).gpu_layers == 0


def test_a_gpu_that_shares_the_memory_takes_all_layers_and_adds_none() -> None:
    found = on(12, shared=True)
    assert found.gpu_layers == ALL_LAYERS
    assert found.room == room_of(Memory(64 * GB, 12 * GB))


def test_layers_that_the_user_sets_are_kept_to() -> None:
    assert on(12, gpu=12, gpu_layers=5).gpu_layers == 5
    assert on(12, gpu=12, gpu_layers=0).gpu_layers == 0
