"""LoRA adapters: ``model+adapter`` is a model with a fine-tuning, kept in a file of its own, on top of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vaultbridge.catalog.gguf_header import GgufHeader
from vaultbridge.core.errors import ModelInvalid

PLUS = "+"
_KIND, _ADAPTER = "general.type", "adapter"
_EMBEDDINGS = "token_embd.weight"  # an adapter has its two halves the other way round


def is_adapter(header: GgufHeader) -> bool:
    """Whether a file holds an adapter, and no model."""
    return header.metadata.get(_KIND) == _ADAPTER


def check_adapter(adapter: Path, model: Path) -> None:
    """Raise ModelInvalid unless ``adapter`` is one and belongs to ``model``, as far as their headers tell."""
    ours, theirs = GgufHeader.of_file(adapter), GgufHeader.read(model)
    if not is_adapter(ours):
        raise ModelInvalid(f"{adapter.name} is no LoRA adapter.", "Convert one: llama.cpp's convert_lora_to_gguf.py")
    if reason := _mismatch(ours, theirs):
        raise ModelInvalid(f"{adapter.name} does not belong to {model.name}: {reason}.", "Name the model it is for.")


def belongs(adapter: Path, model: Path) -> bool:
    """Whether ``check_adapter`` has nothing against it."""
    try:
        check_adapter(adapter, model)
    except ModelInvalid:
        return False
    return True


def adapted(model: GgufHeader, adapter: GgufHeader) -> GgufHeader:
    """The header of a model with an adapter on top, whose weights are loaded, and read for each token, as well."""
    return replace(model, tensors=(*model.tensors, *adapter.tensors))


def _mismatch(adapter: GgufHeader, model: GgufHeader) -> str:
    if adapter.architecture != model.architecture:
        return f"it is for a model of the family {adapter.architecture}, not {model.architecture}"
    shapes = {tensor.name: tensor.shape for tensor in model.tensors}
    for tensor in adapter.tensors:
        name, _, half = tensor.name.rpartition(".")
        if half not in ("lora_a", "lora_b") or name == _EMBEDDINGS:
            continue
        if name not in shapes:
            return f"the model has no {name}"
        side = 0 if half == "lora_a" else 1
        if tensor.shape[side] != shapes[name][side]:
            return f"the model's {name} has another size"
    return ""
