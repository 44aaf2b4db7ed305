from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vaultbridge.lab.training.recipe import Facts, Recipe, Shape, activation_bytes, argv, recipe_for, steps_of

MINILM = Shape(22_700_000, 384, 6, 12)
M3 = Shape(568_000_000, 1024, 24, 16)
GB = 1_000_000_000
SMALL = Facts("base", MINILM, 256, 700, 70, 7, 40, 300, "cpu", 16 * GB)
LARGE = Facts("m3", M3, 8192, 20_000, 900, 7, 60, 400, "cuda", 40 * GB)
WHERE: dict[str, Any] = {"model": Path("m"), "data": Path("d.jsonl"), "cache": Path("c"), "out": Path("o"), "keep": 2}


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        # The published rate is for BGE-M3's size; the smaller the model, the greater its steps.
        (SMALL, {"learning_rate": 5e-5, "temperature": 0.02, "precision": "fp32", "gradient_checkpointing": False}),
        (LARGE, {"learning_rate": 1e-5, "temperature": 0.02, "precision": "fp16", "gradient_checkpointing": True}),
        (replace(LARGE, trainer="reranker"), {"learning_rate": 6e-5}),
        # Little data is shown several times, much of it once.
        (replace(SMALL, examples=300), {"rounds": 4}),
        (LARGE, {"rounds": 1}),
        # Lengths are those of the data, up to the published ones and what the model reads.
        (LARGE, {"query_tokens": 64, "passage_tokens": 400}),
        (replace(LARGE, query_tokens=500, passage_tokens=5000), {"query_tokens": 128, "passage_tokens": 1024}),
        (replace(LARGE, passage_tokens=5000, max_tokens=512), {"passage_tokens": 512}),
        (SMALL, {"passage_tokens": 128}),
        # As many wrong passages as there are.
        (LARGE, {"group_size": 8}),
        (replace(LARGE, negatives=3), {"group_size": 4}),
        # A batch has room for its notes.
        (replace(SMALL, targets=9), {"batch_size": 4}),
        (replace(SMALL, examples=40), {"batch_size": 4}),
    ],
)
def test_defaults_follow_from_the_model_the_data_and_the_computer(facts: Facts, wanted: dict[str, object]) -> None:
    recipe = recipe_for(facts)
    assert {name: getattr(recipe, name) for name in wanted} == wanted


@pytest.mark.parametrize("memory", [6 * GB, 12 * GB, 40 * GB])
def test_a_batch_fits_in_memory_beside_the_model_or_is_the_smallest(memory: int) -> None:
    recipe = recipe_for(replace(LARGE, device="cpu", memory=memory))
    used = 16 * M3.parameters + activation_bytes(M3, recipe, recipe.batch_size)
    assert used < memory or recipe.batch_size == 2


def test_less_memory_never_makes_a_larger_batch() -> None:
    sizes = [recipe_for(replace(LARGE, memory=gb * GB)).batch_size for gb in (10, 12, 16, 24, 48)]
    assert sizes == sorted(sizes)


def test_what_is_given_stands_and_the_rest_follows_from_it() -> None:
    recipe = recipe_for(SMALL, rounds=2, batch_size=10, learning_rate=1e-6, seed=None)
    assert (recipe.rounds, recipe.batch_size, recipe.learning_rate, recipe.seed) == (2, 10, 1e-6, 42)
    assert steps_of(recipe, 700) == 140
    assert 0 < recipe.save_steps < 140


def told(trainer: Any, recipe: Recipe, **options: Any) -> dict[str, str]:
    words = argv(trainer, recipe, options.pop("device", "cpu"), **WHERE, **options)
    return {name.removeprefix("--"): value for name, value in zip(words[::2], words[1::2], strict=True)}


def test_a_plain_embedder_is_taught_as_it_is_run() -> None:
    words = told("base", recipe_for(SMALL), pooling="mean", prefixes=("query: ", "passage: "))
    assert words["sentence_pooling_method"] == "mean"
    assert words["query_instruction_for_retrieval"] == "query: "
    assert words["passage_instruction_for_retrieval"] == "passage: "
    assert words["use_cpu"] == "True"
    assert not any("distill" in name or "unified" in name or "resume" in name for name in words)


def test_m3_is_taught_by_the_published_recipe() -> None:
    words = told("m3", recipe_for(LARGE), device="cuda")
    wanted = {
        "unified_finetuning": "True", "use_self_distill": "True", "fix_encoder": "False", "temperature": "0.02",
        "self_distill_start_step": "0", "normalize_embeddings": "True", "sentence_pooling_method": "cls",
        "learning_rate": "1e-05", "fp16": "True", "gradient_checkpointing": "True", "use_cpu": "False",
    }  # fmt: skip
    assert wanted.items() <= words.items()


def test_a_run_that_goes_on_begins_with_its_checkpoint() -> None:
    recipe = replace(recipe_for(LARGE), distill_from=10)
    words = told("m3", recipe, resume=(Path("o/checkpoint-4"), 4))
    assert words["model_name_or_path"] == words["resume_from_checkpoint"] == "o/checkpoint-4"
    assert words["self_distill_start_step"] == "6"
    assert told("m3", recipe, resume=(Path("o/checkpoint-40"), 40))["self_distill_start_step"] == "-1"


def test_a_reranker_has_no_temperature() -> None:
    words = told("reranker", recipe_for(replace(SMALL, trainer="reranker")))
    assert not {"temperature", "sentence_pooling_method", "normalize_embeddings"} & set(words)
