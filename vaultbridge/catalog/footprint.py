"""What a model's process takes in memory, told from the file's header before it is loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass

from vaultbridge.catalog.gguf_header import GgufHeader
from vaultbridge.catalog.model_bytes import CACHE_TYPE, ModelBytes

BATCH = 512
"""Tokens that are computed at once, unless the settings say otherwise."""
PROCESS = 80_000_000
"""The interpreter, its modules and llama.cpp's libraries, and what they have put aside after some answers."""
TOKEN = 110
"""An entry of the vocabulary: its text, its score, and the tables that find it."""
_NUMBER = 4
_MASK = 6
"""What attends to what, for each token of a batch and each cell: once in f32, once in f16."""
_TABLES = ("token_embd.weight", "per_layer_token_embd.weight", "position_embd.weight", "token_types.weight")


@dataclass(frozen=True, slots=True)
class Use:
    """How a model is to be used: ``cells``, the cache's tokens, for all of ``slots`` conversations together."""

    cells: int
    slots: int
    cache_type: str = CACHE_TYPE
    swa_full: bool = True
    batch: int = BATCH


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes. ``work``: what a batch is computed in; ``process``: the program around it, and the vocabulary.

    ``copies``: of the weights, in the order that the CPU's kernels want. The system may take the originals' memory back
    whenever it needs it, but until then it counts as the process's.
    """

    weights: int
    cache: int
    work: int
    process: int
    copies: int = 0

    @property
    def needed(self) -> int:
        """What has to be there, or the model is slow or does not load at all."""
        return self.weights + self.cache + self.work + self.process

    @property
    def resident(self) -> int:
        """What the system says that the process takes."""
        return self.needed + self.copies

    @classmethod
    def of(cls, header: GgufHeader, use: Use, repacked: Set[str] = frozenset()) -> Footprint:
        """Work it out; ``repacked``: the types of weights that are copied. Raises ModelInvalid as ModelBytes does."""
        model = ModelBytes.of(header)
        vocabulary = vocabulary_of(header)
        windows = 0 if use.swa_full else use.slots
        return cls(
            weights=sum(tensor.bytes for tensor in header.tensors),
            cache=round(model.kept(use.cells, use.cache_type, windows, use.batch)),
            work=_work(header, use, vocabulary),
            process=PROCESS + vocabulary * TOKEN,
            copies=sum(
                tensor.bytes
                for tensor in header.tensors
                if tensor.type in repacked
                and len(tensor.shape) > 1
                and (tensor.name not in _TABLES or (model.tied and tensor.name == _TABLES[0]))
            ),
        )


def weights_by_type(header: GgufHeader) -> dict[str, int]:
    """Bytes of all weights by their type, the most first."""
    types: Counter[str] = Counter()
    for tensor in header.tensors:
        types[tensor.type] += tensor.bytes
    return dict(types.most_common())


def vocabulary_of(header: GgufHeader) -> int:
    """How many tokens there are."""
    return max((tensor.shape[-1] for tensor in header.tensors if tensor.name == _TABLES[0]), default=0)


def _work(header: GgufHeader, use: Use, vocabulary: int) -> int:
    """The widest layer's numbers for each token of a batch, and the scores of every token for each conversation."""
    embedding, heads = header.get("embedding_length", 0), _most(header.get("attention.head_count", 1))
    wide = heads * header.get("attention.key_length", embedding // max(heads, 1))
    inner = _most(header.get("feed_forward_length", 0))
    if header.get("expert_count", 0):
        inner = max(inner, header.get("expert_used_count", 1) * header.get("expert_feed_forward_length", 0))
    rows: int = use.batch * _NUMBER * (3 * embedding + 2 * wide + 3 * inner)
    return rows + use.batch * use.cells * _MASK + use.slots * vocabulary * _NUMBER


def _most(value: int | Sequence[int]) -> int:
    """Of a figure that may differ from layer to layer, the greatest."""
    return value if isinstance(value, int) else max(value, default=0)
