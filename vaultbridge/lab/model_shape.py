"""The shape of a language model: its dimensions, and the matrices and vectors that follow from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vaultbridge.catalog.gguf_header import GgufHeader
from vaultbridge.core.errors import InvalidRequest

MIXTURES = frozenset({"qwen3moe"})
_HEAD_NORMS = frozenset({"gemma3", "qwen3", "qwen3moe"})
"""Architectures that normalise queries and keys."""
_POST_NORMS = frozenset({"gemma2", "gemma3"})
"""Architectures that normalise what attention and feed-forward give, too."""
_BIASED = frozenset({"qwen2"})
"""Architectures whose queries, keys and values have biases."""
ARCHITECTURES = frozenset({"llama", "gemma"}) | _HEAD_NORMS | _POST_NORMS | _BIASED


@dataclass(frozen=True, slots=True)
class Shape:
    """Dimensions in ggml's terms: ``head`` is the width of one attention head, ``window`` 0 if no layer has one.

    ``tied``: the embedding table is the output matrix too. ``experts`` 0: every layer has one feed-forward, of width
    ``feed_forward``; else that is the width of each expert, and every token passes through ``used`` of them.
    """

    architecture: str
    layers: int
    embedding: int
    feed_forward: int
    heads: int
    kv_heads: int
    head: int
    vocabulary: int
    context: int = 8192
    tied: bool = True
    window: int = 0
    experts: int = 0
    used: int = 0

    @classmethod
    def named(cls, name: str) -> Shape:
        """A well-known model's shape. Raises InvalidRequest for a name that is not in SHAPES."""
        if name not in SHAPES:
            raise InvalidRequest(f"There is no shape {name}.", f"Known are {', '.join(SHAPES)}.")
        return SHAPES[name]

    @classmethod
    def of(cls, header: GgufHeader) -> Shape:
        """The shape of a model that there is. Raises InvalidRequest for an architecture not in ARCHITECTURES."""
        if header.architecture not in ARCHITECTURES:
            known = ", ".join(sorted(ARCHITECTURES))
            raise InvalidRequest(f"No file in the shape of a {header.architecture} can be made (only {known}).")
        heads, embedding = header.get("attention.head_count"), header.get("embedding_length")
        tensors = {tensor.name: tensor for tensor in header.tensors}
        experts = header.get("expert_count", 0)
        return cls(
            architecture=header.architecture,
            layers=header.get("block_count"),
            embedding=embedding,
            feed_forward=header.get("expert_feed_forward_length" if experts else "feed_forward_length"),
            heads=heads,
            kv_heads=header.get("attention.head_count_kv", heads),
            head=header.get("attention.key_length", embedding // heads),
            vocabulary=tensors["token_embd.weight"].shape[1],
            context=header.get("context_length"),
            tied="output.weight" not in tensors,
            window=header.get("attention.sliding_window", 0),
            experts=experts,
            used=header.get("expert_used_count", 0),
        )

    def matrices(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Name and shape, row length first, of every tensor that is quantized."""
        yield "token_embd.weight", (self.embedding, self.vocabulary)
        if not self.tied:
            yield "output.weight", (self.embedding, self.vocabulary)
        wide, narrow = self.heads * self.head, self.kv_heads * self.head
        mixture, suffix = ((self.experts,), "_exps") if self.experts else ((), "")
        for layer in range(self.layers):
            block = f"blk.{layer}"
            yield f"{block}.attn_q.weight", (self.embedding, wide)
            yield f"{block}.attn_k.weight", (self.embedding, narrow)
            yield f"{block}.attn_v.weight", (self.embedding, narrow)
            yield f"{block}.attn_output.weight", (wide, self.embedding)
            yield f"{block}.ffn_gate{suffix}.weight", (self.embedding, self.feed_forward, *mixture)
            yield f"{block}.ffn_up{suffix}.weight", (self.embedding, self.feed_forward, *mixture)
            yield f"{block}.ffn_down{suffix}.weight", (self.feed_forward, self.embedding, *mixture)

    def vectors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Name and shape of every tensor that stays in full precision: norms, biases, and what chooses experts."""
        yield "output_norm.weight", (self.embedding,)
        for layer in range(self.layers):
            block = f"blk.{layer}"
            yield f"{block}.attn_norm.weight", (self.embedding,)
            yield f"{block}.ffn_norm.weight", (self.embedding,)
            if self.architecture in _POST_NORMS:
                yield f"{block}.post_attention_norm.weight", (self.embedding,)
                yield f"{block}.post_ffw_norm.weight", (self.embedding,)
            if self.architecture in _HEAD_NORMS:
                yield f"{block}.attn_q_norm.weight", (self.head,)
                yield f"{block}.attn_k_norm.weight", (self.head,)
            if self.architecture in _BIASED:
                yield f"{block}.attn_q.bias", (self.heads * self.head,)
                yield f"{block}.attn_k.bias", (self.kv_heads * self.head,)
                yield f"{block}.attn_v.bias", (self.kv_heads * self.head,)
            if self.experts:
                yield f"{block}.ffn_gate_inp.weight", (self.embedding, self.experts)


SHAPES: Mapping[str, Shape] = {
    "smollm2-135m": Shape("llama", 30, 576, 1536, 9, 3, 64, 49152),
    "gemma-3-270m": Shape("gemma3", 18, 640, 2048, 4, 1, 256, 262144, 32768, window=512),
    "qwen2.5-0.5b": Shape("qwen2", 24, 896, 4864, 14, 2, 64, 151936, 32768),
    "qwen3-0.6b": Shape("qwen3", 28, 1024, 3072, 16, 8, 128, 151936, 40960),
    "gemma-3-1b": Shape("gemma3", 26, 1152, 6912, 4, 1, 256, 262144, 32768, window=512),
    "llama-3.2-1b": Shape("llama", 16, 2048, 8192, 32, 8, 64, 128256, 131072),
    "gemma-2b": Shape("gemma", 18, 2048, 16384, 8, 1, 256, 256000),
    "gemma-2-2b": Shape("gemma2", 26, 2304, 9216, 8, 4, 256, 256000, window=4096),
    "gemma-3-4b": Shape("gemma3", 34, 2560, 10240, 8, 4, 256, 262144, 131072, window=1024),
    "mistral-7b": Shape("llama", 32, 4096, 14336, 32, 8, 128, 32000, 32768, tied=False),
    "qwen3-30b-a3b": Shape("qwen3moe", 48, 2048, 768, 32, 4, 128, 151936, 40960, tied=False, experts=128, used=8),
}
