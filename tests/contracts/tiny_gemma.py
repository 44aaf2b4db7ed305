"""bge-reranker-v2-gemma in miniature: random weights, the real architecture; about 100 kB."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GemmaConfig, GemmaForCausalLM, PreTrainedTokenizerFast

_SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>")


def make_tiny_gemma(folder: Path) -> Path:
    """Write a language model whose vocabulary has Yes in it and return its folder; the same weights every time."""
    torch.manual_seed(7)
    tokenizer = _tokenizer()
    config = GemmaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=1024,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
        initializer_range=0.3,  # with the usual 0.02 every text looks the same
    )
    GemmaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer() -> PreTrainedTokenizerFast:
    """Bytes, and Yes as a token of its own."""
    bytes_ = pre_tokenizers.ByteLevel.alphabet()
    pieces = [*_SPECIAL, *sorted(bytes_), "Ye", "Yes"]
    tokenizer = Tokenizer(
        models.BPE({piece: id_ for id_, piece in enumerate(pieces)}, [("Y", "e"), ("Ye", "s")], unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>", unk_token="<unk>",
        padding_side="left", model_max_length=1024,
    )  # fmt: skip
