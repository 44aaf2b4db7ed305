"""How a model is taught: the arguments of FlagEmbedding's recipes, and defaults for the data and the computer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

Trainer = Literal["m3", "base", "reranker"]
Device = Literal["cpu", "cuda", "mps"]
Precision = Literal["fp32", "fp16", "bf16"]
Pooling = Literal["cls", "mean"]

MODULES: dict[Trainer, str] = {
    "m3": "embedder.encoder_only.m3",
    "base": "embedder.encoder_only.base",
    "reranker": "reranker.encoder_only.base",
}
"""FlagEmbedding's trainers, in ``FlagEmbedding.finetune``."""

MAX_QUERY, MAX_PASSAGE = 128, 1024
"""Tokens of a query and of a passage in the published recipe."""
_MULTIPLE = 8
_MAX_ON_A_CPU = 128
"""Tokens of a passage: a step's time grows with them, and what a passage is about shows in its beginning."""
_SEEN: dict[Device, int] = {"cpu": 2_500, "cuda": 10_000, "mps": 5_000}
"""About so many examples are shown, if that takes one to four rounds."""
_FEWEST_STEPS = 8
"""Steps that a round has at least, where the data suffices: the loss of one batch is no direction."""
_MOST_ROUNDS = 4
_SAVES = 4
"""Checkpoints that a run makes."""
_FLOAT = 4


@dataclass(frozen=True, slots=True)
class Shape:
    """A model's size: its ``parameters``, and of its encoder the hidden size, layers and heads."""

    parameters: int
    hidden: int
    layers: int
    heads: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What defaults follow from: the model, the data and the computer.

    ``query_tokens`` and ``passage_tokens`` are lengths that hardly any text exceeds, ``targets`` counts the notes that
    are to be found, ``negatives`` what the poorest example has of them. ``memory``: bytes that are free on the
    ``device``.
    """

    trainer: Trainer
    shape: Shape
    max_tokens: int
    examples: int
    targets: int
    negatives: int
    query_tokens: int
    passage_tokens: int
    device: Device
    memory: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """The arguments of a run, by FlagEmbedding's meaning of them.

    A batch has ``batch_size`` queries with ``group_size`` passages each, one of them right; every passage of the batch
    is an answer that any of its queries could choose. ``rounds`` over the data; ``warmup`` is a part of all steps.
    ``unified`` to ``fix_encoder`` are BGE-M3's: teach all three heads, each by what they say together, from step
    ``distill_from`` on, or the heads alone.
    """

    learning_rate: float
    rounds: int
    batch_size: int
    group_size: int
    query_tokens: int
    passage_tokens: int
    save_steps: int
    accumulate: int = 1
    temperature: float = 0.02
    warmup: float = 0.1
    weight_decay: float = 0.01
    seed: int = 42
    precision: Precision = "fp32"
    gradient_checkpointing: bool = False
    unified: bool = True
    self_distill: bool = True
    distill_from: int = 0
    fix_encoder: bool = False


def recipe_for(facts: Facts, **given: Any) -> Recipe:
    """The recipe for these facts; what is ``given`` (and not None) stands, and the rest follows from it."""
    own = {name: value for name, value in given.items() if value is not None}
    large = facts.shape.parameters >= 200_000_000
    query = min(MAX_QUERY, facts.max_tokens, _rounded(facts.query_tokens))
    most = _MAX_ON_A_CPU if facts.device == "cpu" else MAX_PASSAGE
    passage = min(most, facts.max_tokens, _rounded(facts.passage_tokens))
    group = min(2 if facts.device == "cpu" else 8, facts.negatives + 1)
    recipe = Recipe(
        learning_rate=_learning_rate(facts),
        rounds=max(1, min(_MOST_ROUNDS, round(_SEEN[facts.device] / facts.examples))),
        batch_size=1,
        group_size=max(2, group),
        query_tokens=query,
        passage_tokens=passage,
        save_steps=1,
        precision="fp16" if facts.device == "cuda" else "fp32",
        gradient_checkpointing=large and facts.device != "cpu",
    )
    recipe = replace(recipe, **own)
    if "batch_size" not in own:
        recipe = replace(recipe, batch_size=_batch_size(facts, recipe))
    if "save_steps" not in own:
        recipe = replace(recipe, save_steps=max(1, math.ceil(steps_of(recipe, facts.examples) / _SAVES)))
    return recipe


def steps_of(recipe: Recipe, examples: int) -> int:
    """About how many steps it takes; a few less if some examples cannot share a batch."""
    return max(1, examples * recipe.rounds // (recipe.batch_size * recipe.accumulate))


def activation_bytes(shape: Shape, recipe: Recipe, batch_size: int) -> int:
    """What a step keeps for its backward pass.

    Korthikanti et al., 2022 (arXiv:2205.05198): a layer's tokens take s·b·h·(34 + 5·a·s/h) bytes in 16 bits.
    """
    passages = batch_size * recipe.group_size * _layer(shape, recipe.passage_tokens)
    queries = batch_size * _layer(shape, recipe.query_tokens)
    layers = 2 if recipe.gradient_checkpointing else shape.layers
    return (passages + queries) * layers * (2 if recipe.precision == "fp32" else 1)


def argv(
    trainer: Trainer,
    recipe: Recipe,
    device: Device,
    *,
    model: Path,
    data: Path,
    cache: Path,
    out: Path,
    keep: int,
    pooling: Pooling = "cls",
    prefixes: tuple[str, str] = ("", ""),
    resume: tuple[Path, int] | None = None,
) -> list[str]:
    """The trainer's arguments. ``data`` is in the order of the steps; ``prefixes`` of queries and passages.

    ``keep``: checkpoints at a time. ``resume``: one of them, and its step; it is the model to begin with, too (see
    ``backends/flag_training``).
    """
    named: dict[str, Any] = {
        "model_name_or_path": resume[0] if resume else model,
        "train_data": data,
        "cache_path": cache,
        "output_dir": out,
        "train_group_size": recipe.group_size,
        "query_max_len": recipe.query_tokens,
        "passage_max_len": recipe.passage_tokens,
        "learning_rate": recipe.learning_rate,
        # The rounds are in the data's order.
        "num_train_epochs": 1,
        "train_sampling_strategy": "sequential",
        "per_device_train_batch_size": recipe.batch_size,
        "gradient_accumulation_steps": recipe.accumulate,
        "dataloader_drop_last": True,
        # Below one it is a part of all steps.
        "warmup_steps": recipe.warmup,
        "weight_decay": recipe.weight_decay,
        "seed": recipe.seed,
        "logging_steps": 1,
        "save_steps": recipe.save_steps,
        "save_total_limit": keep,
        "disable_tqdm": True,
        "report_to": "none",
        "use_cpu": device == "cpu",
        "fp16": recipe.precision == "fp16",
        "bf16": recipe.precision == "bf16",
        "gradient_checkpointing": recipe.gradient_checkpointing,
    }
    if trainer != "reranker":
        named |= {
            "temperature": recipe.temperature,
            "sentence_pooling_method": pooling,
            "normalize_embeddings": True,
        }
    for role, prefix in zip(("query", "passage"), prefixes, strict=True):
        if prefix:
            named[f"{role}_instruction_for_{'rerank' if trainer == 'reranker' else 'retrieval'}"] = prefix
    if trainer == "m3":
        named |= {
            "unified_finetuning": recipe.unified,
            "use_self_distill": recipe.self_distill,
            # It counts the steps of its own process, and begins when there were more than that.
            "self_distill_start_step": max(-1, recipe.distill_from - (resume[1] if resume else 0)),
            "fix_encoder": recipe.fix_encoder,
        }
    if resume:
        named["resume_from_checkpoint"] = resume[0]
    return [word for name, value in named.items() for word in _words(name, value)]


def _words(name: str, value: Any) -> Iterator[str]:
    yield f"--{name}"
    yield str(value)


def _learning_rate(facts: Facts) -> float:
    """The published one for models of BGE-M3's size; small models are usually taught in greater steps."""
    if facts.trainer == "reranker":
        return 6e-5
    parameters = facts.shape.parameters
    return 1e-5 if parameters >= 200_000_000 else 2e-5 if parameters >= 60_000_000 else 5e-5


def _batch_size(facts: Facts, recipe: Recipe) -> int:
    """A power of two: as many as usual, unless memory or data are short."""
    most = 8 if facts.shape.parameters >= 200_000_000 and facts.device == "cpu" else 16 if facts.examples < 2000 else 32
    # Weights, gradients and Adam's two moments, and half of the rest for what the formula does not know.
    free = (facts.memory - 4 * _FLOAT * facts.shape.parameters) / 2
    size = most
    while size > 2 and (
        activation_bytes(facts.shape, recipe, size) > free
        or size > facts.targets // 2
        or facts.examples // size < _FEWEST_STEPS
    ):
        size //= 2
    return size


def _layer(shape: Shape, tokens: int) -> int:
    return tokens * (34 * shape.hidden + 5 * shape.heads * tokens)


def _rounded(tokens: int) -> int:
    return max(_MULTIPLE, math.ceil(tokens / _MULTIPLE) * _MULTIPLE)
