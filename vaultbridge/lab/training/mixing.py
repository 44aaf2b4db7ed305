"""A tuned model's weights averaged with its base's: much of what was learned, and little of what was forgotten.

WiSE-FT (Wortsman et al., CVPR 2022, arXiv:2109.01903): w = (1 - a)·base + a·tuned.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vaultbridge.backends.flag_weights import Weights, heads_of, weights_of, write_weights
from vaultbridge.catalog.tuned import TunedSheet
from vaultbridge.core.errors import ModelInvalid

MIXES = (0.25, 0.5)
"""The shares of the tuned weights that are tried.

A half is what the paper recommends where nothing is known of what else a model is used for: validation, made of the
same notes, always speaks for more, and never sees what that forgets.
"""

_BESIDE = ("*.json", "*.txt", "*.model", "[0-9]_*")
"""What belongs to a model beside its weights: configuration, tokenizer, and the modules of sentence-transformers."""
_NOT = ("model.json", "*.index.json", "vaultbridge-*.json")
"""Receipts and sheets of our own, which speak of the base."""


def write_mix(base: Path, tuned: Path, share: float, out: Path, sheet: TunedSheet) -> None:
    """Write a model with ``share`` of the tuned weights and the rest of the base's, and all that stands beside them.

    Raises ModelInvalid if the two are not of one architecture.
    """
    out.mkdir(parents=True)
    for pattern in _BESIDE:
        for beside in base.glob(pattern):
            if beside.is_dir():
                shutil.copytree(beside, out / beside.name)
            elif not any(beside.match(pattern) for pattern in _NOT):
                shutil.copyfile(beside, out / beside.name)
    _in_32_bits(out / "config.json")
    first, second = heads_of(base), heads_of(tuned)
    heads = {name: mixed(head, second.get(name, head), share) for name, head in first.items()}
    write_weights(out, mixed(weights_of(base), weights_of(tuned), share), heads)
    sheet.write(out)


def mixed(base: Mapping[str, Weights], tuned: Mapping[str, Weights], share: float) -> dict[str, Weights]:
    """Each tuned weight with the base's of its name; what the base does not have was not learned from it and stays.

    Raises ModelInvalid if they have nothing in common, or a weight in two shapes.
    """
    known = {name: weight for name in tuned if (weight := _named(base, name)) is not None}
    if not known:
        raise ModelInvalid("The tuned model has no weight in common with its base.", "Was the base changed meanwhile?")
    for name, weight in known.items():
        if weight.shape != tuned[name].shape:
            raise ModelInvalid(
                f"{name} is {tuned[name].shape} in the tuned model and {weight.shape} in its base.",
                "Was the base changed meanwhile?",
            )
    return {
        name: _between(known[name], weight, share) if name in known else np.array(weight)
        for name, weight in tuned.items()
    }


def _between(base: Weights, tuned: Weights, share: float) -> Weights:
    weight: Weights = np.float32(1 - share) * base + np.float32(share) * tuned
    return weight


def _named(base: Mapping[str, Weights], name: str) -> Weights | None:
    """The base's weight of that name, which may have its architecture's in front: ``bert.embeddings...``."""
    if name in base:
        return base[name]
    return next((weight for other, weight in base.items() if other.partition(".")[2] == name), None)


def _in_32_bits(config: Path) -> None:
    told = json.loads(config.read_text(encoding="utf-8"))
    told |= {key: "float32" for key in ("dtype", "torch_dtype") if key in told}
    config.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
