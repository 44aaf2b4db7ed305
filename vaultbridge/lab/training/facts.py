"""What a run's defaults follow from, looked up: the model's shape, the data's lengths, the computer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from vaultbridge.backends.flag_weights import bytes_of_weights
from vaultbridge.backends.torch_device import Device, free_memory
from vaultbridge.core.errors import ConfigError, ModelInvalid
from vaultbridge.lab.training.dataset import Dataset, Example
from vaultbridge.lab.training.recipe import Facts, Shape, Trainer

_NEARLY_ALL = 0.98
"""The part of the texts that are not cut."""
_SAMPLE = 2_000


def facts_of(trainer: Trainer, model: Path, max_tokens: int, dataset: Dataset, device: Device) -> Facts:
    """All of them. Raises ConfigError for data without examples, ModelInvalid for a folder that cannot be trained."""
    examples = dataset.examples("train")
    if not examples:
        raise ConfigError(f"{dataset.folder} has no examples to learn from.", "Make it anew: vaultbridge train data")
    tokenizer = _tokenizer(model)
    sample = examples[:: max(1, len(examples) // _SAMPLE)]
    return Facts(
        trainer=trainer,
        shape=shape_of(model),
        max_tokens=max_tokens,
        examples=len(examples),
        targets=len({example.target for example in examples}),
        negatives=min(len(example.neg) for example in examples),
        query_tokens=_length(tokenizer, (example.query for example in sample)),
        passage_tokens=_length(tokenizer, _passages(sample)),
        device=device,
        memory=free_memory(device),
    )


def shape_of(model: Path) -> Shape:
    """A BERT-style model's size. Raises ModelInvalid."""
    try:
        config = json.loads((model / "config.json").read_text(encoding="utf-8"))
        figures = (config["hidden_size"], config["num_hidden_layers"], config["num_attention_heads"])
    except (OSError, ValueError, KeyError) as error:
        raise ModelInvalid(
            f"{model} is no BERT-style model: {error!r}.", "Choose one that FlagEmbedding runs."
        ) from error
    if (kept := config.get("dtype", config.get("torch_dtype", "float32"))) != "float32":
        raise ModelInvalid(f"The weights in {model} are {kept}.", "Training takes weights of 32 bits.")
    return Shape(bytes_of_weights(model) // 4, *figures)


def _passages(examples: Sequence[Example]) -> Iterable[str]:
    for example in examples:
        yield from (*example.pos, *example.neg)


def _tokenizer(model: Path) -> Tokenizer:
    if not (model / "tokenizer.json").is_file():
        raise ModelInvalid(f"{model} has no tokenizer.json.", "Download that file, too.")
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _length(tokenizer: Tokenizer, texts: Iterable[str]) -> int:
    lengths = [len(encoded.ids) for encoded in tokenizer.encode_batch(list(dict.fromkeys(texts)))]
    return int(np.quantile(lengths, _NEARLY_ALL))
