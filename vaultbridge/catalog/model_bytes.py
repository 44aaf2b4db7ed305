"""What a model's weights and cache cost in bytes read, worked out from a GGUF header.

The reasoning is that of Zeux, "LLM inference speed of light" (2024): a token needs every weight once, so it takes at
least (weights + keys and values up to its position) / read bandwidth.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from vaultbridge.catalog.figures import absurdity
from vaultbridge.catalog.gguf_header import GgufHeader, Tensor
from vaultbridge.core.errors import ModelInvalid

CACHE_TYPE = "f16"
"""How llama.cpp keeps keys and values unless it is told otherwise."""
_HEAD = "output.weight"
_EMBEDDING = "token_embd.weight"
_TABLES = frozenset({_EMBEDDING, "per_layer_token_embd.weight", "position_embd.weight", "token_types.weight"})
"""Tables of which a token reads one row."""
_EXPERTS = "_exps."
_PERIODS: Mapping[str, int] = {"gemma2": 2, "gemma3": 6, "gemma3n": 5, "cohere2": 4, "gpt-oss": 2, "exaone4": 4}
"""Every n-th layer sees the whole context: n by architecture, as llama.cpp has it where the file does not say.

An architecture that is not here (Mistral's and Qwen's files may name a window too) sees all of it in each layer.
"""


@dataclass(frozen=True, slots=True)
class LayerCache:
    """One layer's cache: ``values`` numbers for each position, of which the last ``window`` positions are read.

    One that is not ``stored`` reads what another layer keeps.
    """

    values: int
    window: float = math.inf
    stored: bool = True


@dataclass(frozen=True, slots=True)
class ModelBytes:
    """What is read of one model.

    ``dense``: bytes of the weights that every step reads, whatever its batch. ``row``: bytes of the table rows that one
    token looks up. ``experts``: bytes of all the experts, of which each token uses ``used`` of ``count``. ``active``:
    weights (their number, not bytes) that one token reads; ``parameters``: all there are. ``tied``: the embedding table
    is the output matrix too, so it is read whole, but once. ``types``: bytes of the weights that a token is multiplied
    with, experts that it does not use left out, by their type.
    """

    architecture: str
    parameters: int
    active: int
    tied: bool
    dense: int
    row: int
    experts: int
    count: int
    used: int
    layers: tuple[LayerCache, ...]
    types: Mapping[str, float]

    @classmethod
    def of(cls, header: GgufHeader) -> ModelBytes:
        """Work it out. Raises ModelInvalid for figures that no model has."""
        try:
            if reason := absurdity(header):
                raise ValueError(reason)
            return cls._of(header)
        except (ArithmeticError, TypeError, ValueError, LookupError) as error:
            raise ModelInvalid(
                f"The file's own figures make no sense ({error}).", "Fetch it again, or choose another file."
            ) from error

    @classmethod
    def _of(cls, header: GgufHeader) -> ModelBytes:
        tied = not any(tensor.name == _HEAD for tensor in header.tensors)
        looked_up = _TABLES - {_EMBEDDING} if tied else _TABLES
        tables = [tensor for tensor in header.tensors if tensor.name in looked_up]
        experts = [tensor for tensor in header.tensors if _EXPERTS in tensor.name]
        dense = [tensor for tensor in header.tensors if tensor.name not in looked_up and _EXPERTS not in tensor.name]
        count = header.get("expert_count", 0) or 1
        used = header.get("expert_used_count", 0) or count
        return cls(
            architecture=header.architecture,
            parameters=_elements(header.tensors),
            active=_elements(dense) + sum(table.shape[0] for table in tables) + _elements(experts) * used // count,
            tied=tied,
            dense=_bytes(dense),
            row=sum(table.bytes * table.shape[0] // table.elements for table in tables),
            experts=_bytes(experts),
            count=count,
            used=used,
            layers=tuple(_caches(header)),
            types=_by_type(dense, experts, used / count),
        )

    @property
    def bits(self) -> float:
        """Bits per weight, over what one token reads."""
        return 8 * self.weights() / self.active

    def weights(self, batch: int = 1) -> float:
        """Bytes of weights that a step of ``batch`` tokens reads.

        Of a mixture's experts, those expected if every token chose its own evenly and independently of the others.
        """
        reached = 1 - (1 - self.used / self.count) ** batch
        return self.dense + batch * self.row + self.experts * reached

    def cache(self, depth: int, cache_type: str = CACHE_TYPE) -> float:
        """Bytes of keys and values that one token with ``depth`` tokens before it reads."""
        return sum(layer.values * min(depth, layer.window) for layer in self.layers) * _width(cache_type)

    def kept(self, cells: int, cache_type: str = CACHE_TYPE, slots: int = 0, batch: int = 0) -> float:
        """Bytes of a cache of ``cells`` tokens.

        Layers with a window keep as much as the others, or with ``slots`` a window for each of these and a ``batch``.
        """
        layers = (layer for layer in self.layers if layer.stored)
        return sum(
            layer.values * min(cells, layer.window * slots + batch if slots else cells) for layer in layers
        ) * _width(cache_type)

    def step(self, batch: int, depth: int, cache_type: str = CACHE_TYPE) -> float:
        """Bytes that one step of ``batch`` sequences reads, each ``depth`` tokens long."""
        return self.weights(batch) + batch * self.cache(depth, cache_type)


def _by_type(dense: Sequence[Tensor], experts: Sequence[Tensor], share: float) -> Mapping[str, float]:
    types: Counter[str] = Counter()
    for tensor in dense:
        types[tensor.type] += tensor.bytes
    chosen: Counter[str] = Counter()
    for tensor in experts:
        chosen[tensor.type] += tensor.bytes
    return {type_: types[type_] + share * chosen[type_] for type_ in (types | chosen)}


def _elements(tensors: Sequence[Tensor]) -> int:
    return sum(tensor.elements for tensor in tensors)


def _width(type_: str) -> float:
    """Bytes of a number that is kept in a type."""
    block, size = GGML_QUANT_SIZES[GGMLQuantizationType[type_.upper()]]
    return size / block


def _bytes(tensors: Sequence[Tensor]) -> int:
    return sum(tensor.bytes for tensor in tensors)


def _caches(header: GgufHeader) -> list[LayerCache]:
    """Each layer's cache; with grouped-query attention it is as wide as the key and value heads are many."""
    count = header.get("block_count", 0)
    heads = _each(header.get("attention.head_count", 1), count)
    groups = _each(header.get("attention.head_count_kv", heads), count)
    width = header.get("embedding_length", 0) // max([*heads, 1])
    whole = header.get("attention.key_length", width) + header.get("attention.value_length", width)
    local = header.get("attention.key_length_swa", 0) + header.get("attention.value_length_swa", 0) or whole
    window = header.get("attention.sliding_window", 0)
    slides = _sliding(header, count) if window else [False] * count
    stored = count - header.get("attention.shared_kv_layers", 0)
    return [
        LayerCache(group * (local if sliding else whole), window if sliding else math.inf, layer < stored)
        for layer, (group, sliding) in enumerate(zip(groups, slides, strict=True))
    ]


def _sliding(header: GgufHeader, count: int) -> list[bool]:
    """Which layers see no further than the window: a flag for each, or all but every n-th."""
    pattern = header.get("attention.sliding_window_pattern", _PERIODS.get(header.architecture, 1))
    if isinstance(pattern, int):
        return [pattern == 0 or layer % pattern < pattern - 1 for layer in range(count)]
    return [bool(pattern[layer % len(pattern)]) for layer in range(count)]


def _each(value: int | Sequence[int], count: int) -> list[int]:
    return [value] * count if isinstance(value, int) else list(value)
