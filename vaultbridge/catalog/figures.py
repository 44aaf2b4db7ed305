"""The figures that a GGUF header names: whether a model can have them.

llama.cpp refuses some that none has with a word of why, ends its process at others, and runs for ever at a few.
"""

from __future__ import annotations

from collections.abc import Sequence

from vaultbridge.catalog.gguf_header import GgufHeader

MOST_LAYERS = 512
MOST_EXPERTS = 1024
"""As many as llama.cpp has room for."""
LEAST_CONTEXT = 64
"""Tokens; the smallest models that anybody trained have twice as many."""
_LARGEST = 1 << 32
_FIGURES = (
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "expert_count",
    "expert_used_count",
    "expert_feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.key_length_swa",
    "attention.value_length_swa",
    "attention.sliding_window",
    "attention.shared_kv_layers",
    "rope.dimension_count",
)
_QUERIES = "attn_q.weight"


def absurdity(header: GgufHeader) -> str:
    """What of the header's figures no model has; empty if one may have them all."""
    for key in _FIGURES:
        for figure in _each(header, key):
            if not isinstance(figure, int) or not 0 <= figure < _LARGEST:
                return f"{key} is {figure!r}"
    layers, context = header.get("block_count", 1), header.get("context_length", 0)
    if not isinstance(layers, int) or not 0 < layers <= MOST_LAYERS:
        return f"it has {layers} layers"
    if not isinstance(context, int) or 0 < context < LEAST_CONTEXT:
        return f"it was trained on {context} tokens at a time"
    return _attention(header) or _mixture(header)


def _attention(header: GgufHeader) -> str:
    heads = max(_each(header, "attention.head_count"), default=1)
    if not heads:  # as Mamba, which has no attention
        queries = any(tensor.name.endswith(_QUERIES) for tensor in header.tensors)
        return "it has attention without heads" if queries else ""
    width = max(_each(header, "attention.key_length"), default=header.get("embedding_length", 0) // heads)
    turned = _each(header, "rope.dimension_count")
    if any(not turn or turn % 2 or turn > width for turn in turned):
        return f"of the {width} numbers of a head {turned[0]} are rotated"
    return ""


def _mixture(header: GgufHeader) -> str:
    count = max(_each(header, "expert_count"), default=0)
    used = _each(header, "expert_used_count")
    if count > MOST_EXPERTS or (count > 1 and not 0 < max(used, default=0) <= count):
        return f"of {count} experts {max(used, default=0)} are used"
    return ""


def _each(header: GgufHeader, key: str) -> Sequence[int]:
    """A figure, or the one of each layer; none where the file does not say."""
    value = header.get(key)
    if value is None:
        return ()
    return value if isinstance(value, (tuple, list)) else (value,)
