"""An EmbeddingGemma of random weights in a GGUF file, and the same one in torch to compare with; about 260 kB."""

from __future__ import annotations

import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFWriter, PoolingType, TokenType
from transformers import Gemma3TextConfig, Gemma3TextModel

CONTEXT = 512
_SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>")
_WIDTH, _INNER, _HEAD, _LAYERS = 32, 64, 16, 6  # five layers look around themselves, every sixth at everything
_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}


def tiny_embedding_gemma() -> tuple[Any, Any, Any]:
    """The model in torch, and the two layers behind its pooling; the same weights every time."""
    torch.manual_seed(7)
    config = Gemma3TextConfig(
        vocab_size=len(_pieces()),
        hidden_size=_WIDTH,
        intermediate_size=_INNER,
        num_hidden_layers=_LAYERS,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=_HEAD,
        query_pre_attn_scalar=_HEAD,
        max_position_embeddings=CONTEXT,
        sliding_window=CONTEXT,
        use_bidirectional_attention=True,
        initializer_range=0.3,  # with the usual 0.02 every text looks the same
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
    )
    model = Gemma3TextModel(config).eval()
    first = torch.nn.Linear(_WIDTH, _INNER, bias=False)
    return model, first, torch.nn.Linear(_INNER, _WIDTH, bias=False)


def embedded(text: str) -> Any:
    """What torch makes of ``text``."""
    model, first, second = tiny_embedding_gemma()
    with torch.inference_mode():
        states = model(torch.tensor([tokens(text)])).last_hidden_state[0]
        vector = second(first(states.mean(0)))
        return (vector / vector.norm()).numpy()


def tokens(text: str) -> Sequence[int]:
    """A token a character, between the beginning and the end."""
    pieces = _pieces()
    return [2, *(pieces.index(character) for character in text.replace(" ", "▁")), 1]


def make_tiny_embedding_gemma(path: Path) -> Path:
    """Write it."""
    model, first, second = tiny_embedding_gemma()
    writer = GGUFWriter(path, "gemma-embedding")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_INNER)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_key_length(_HEAD)
    writer.add_value_length(_HEAD)
    writer.add_layer_norm_rms_eps(model.config.rms_norm_eps)
    writer.add_rope_freq_base(1_000_000.0)
    writer.add_sliding_window(CONTEXT)
    writer.add_pooling_type(PoolingType.MEAN)
    writer.add_dense_features_dims("dense_2", _WIDTH, _INNER)
    writer.add_dense_features_dims("dense_3", _INNER, _WIDTH)
    pieces = _pieces()
    kinds = [TokenType.CONTROL, TokenType.CONTROL, TokenType.CONTROL, TokenType.UNKNOWN]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(pieces)
    writer.add_token_scores([-1000.0] * len(pieces))
    writer.add_token_types([*kinds, *[TokenType.NORMAL] * (len(pieces) - len(kinds))])
    writer.add_pad_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_bos_token_id(2)
    writer.add_unk_token_id(3)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(True)
    writer.add_add_space_prefix(False)
    for name, tensor in model.state_dict().items():
        # The file's norms are factors; torch's are what is added to one.
        values = tensor.numpy().astype(np.float32) + (1.0 if "norm" in name else 0.0)
        writer.add_tensor(_renamed(name), values)
    writer.add_tensor("dense_2.weight", first.weight.detach().numpy())
    writer.add_tensor("dense_3.weight", second.weight.detach().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _renamed(name: str) -> str:
    if name.startswith("layers."):
        number, _, part = name.removeprefix("layers.").partition(".")
        return f"blk.{number}.{_NAMES[part.removesuffix('.weight')]}.weight"
    return {"embed_tokens.weight": "token_embd.weight", "norm.weight": "output_norm.weight"}[name]


def _pieces() -> list[str]:
    return [*_SPECIAL, "▁", *string.ascii_letters, *string.digits, *string.punctuation]
