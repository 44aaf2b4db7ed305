"""A BERT of random weights in a GGUF file or a folder, and the same one in torch to compare with; about 150 kB."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFWriter, PoolingType, TokenType
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

CONTEXT = 512
_WORDS = "the a note notes task tasks garden water plant due date today meeting index vault search early".split()
_CHINESE = "给花园浇水最好在清晨税务局中午关门请带上身份证"
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_LAYERS = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
_OTHERS = {
    "bert.embeddings.word_embeddings": "token_embd",
    "bert.embeddings.position_embeddings": "position_embd",
    "bert.embeddings.token_type_embeddings": "token_types",
    "bert.embeddings.LayerNorm": "token_embd_norm",
}
_HEAD = {"bert.pooler.dense": "cls", "classifier": "cls.output"}


def tiny_bert(labels: int = 1) -> Any:
    """The model in torch; the same weights every time."""
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(_pieces()),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=CONTEXT,
        initializer_range=0.5,  # with the usual 0.02 every text looks the same
        hidden_act="gelu",
        num_labels=labels,
    )
    return BertForSequenceClassification(config).eval()


def make_tiny_bert_folder(folder: Path) -> Path:
    """Write it as an embedder's folder, as Hugging Face has them, and return that."""
    tiny_bert().bert.save_pretrained(folder)
    first, rest = _pieces()[len(_SPECIAL) :], "##"
    plain = [piece.removeprefix("▁") if piece.startswith("▁") else f"{rest}{piece}" for piece in first]
    pieces = {piece: number for number, piece in enumerate([*_SPECIAL, *plain])}
    tokenizer = Tokenizer(models.WordPiece(pieces, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", pieces["[CLS]"]), ("[SEP]", pieces["[SEP]"])]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]",
        model_max_length=CONTEXT,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def make_tiny_bert(path: Path, pooling: PoolingType | None, *, head: bool = False, labels: int = 1) -> Path:
    """Write it; with the ``head`` it is a reranker, without one an embedder."""
    model = tiny_bert(labels)
    config = model.config
    writer = GGUFWriter(path, "bert")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_layer_norm_eps(config.layer_norm_eps)
    writer.add_causal_attention(False)
    if pooling is not None:
        writer.add_pooling_type(pooling)
    if head:
        writer.add_classifier_output_labels([f"LABEL_{number}" for number in range(labels)])
    pieces = _pieces()
    writer.add_tokenizer_model("bert")
    writer.add_token_list(pieces)
    writer.add_token_types([TokenType.CONTROL if piece in _SPECIAL else TokenType.NORMAL for piece in pieces])
    writer.add_token_type_count(2)
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_bos_token_id(2)
    writer.add_sep_token_id(3)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(True)
    writer.add_add_sep_token(True)
    for name, tensor in model.state_dict().items():
        stem, _, kind = name.rpartition(".")
        if renamed := _renamed(stem, head=head):
            writer.add_tensor(f"{renamed}.{kind}", tensor.numpy().astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _renamed(name: str, *, head: bool) -> str:
    if name.startswith("bert.encoder.layer."):
        number, _, part = name.removeprefix("bert.encoder.layer.").partition(".")
        return f"blk.{number}.{_LAYERS[part]}"
    return _OTHERS.get(name, "") or (_HEAD.get(name, "") if head else "")


def _pieces() -> list[str]:
    """Word pieces as GGUF files have them: a word's first one behind a mark, the others bare."""
    letters = string.ascii_lowercase + string.digits + string.punctuation
    first = [f"▁{piece}" for piece in dict.fromkeys([*_WORDS, *letters, *_CHINESE])]
    return [*_SPECIAL, *first, *letters]
