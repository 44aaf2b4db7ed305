"""BGE-M3 and its reranker in miniature: random weights, the real architectures; about 200 kB each."""

from __future__ import annotations

import string
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
    XLMRobertaModel,
)

MAX_TOKENS = 512
_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
_WORDS = "the a note notes task tasks garden water plant due date today meeting index vault search".split()
_CHINESE = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方"
_HIDDEN = 32


def make_tiny_m3(folder: Path) -> Path:
    """Write an embedder with both heads and return its folder; the same weights every time."""
    torch.manual_seed(7)
    XLMRobertaModel(_config()).save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    sparse, colbert = torch.nn.Linear(_HIDDEN, 1), torch.nn.Linear(_HIDDEN, _HIDDEN)
    torch.nn.init.constant_(sparse.bias, 1.0)  # without it the ReLU leaves nothing
    torch.save(sparse.state_dict(), folder / "sparse_linear.pt")
    torch.save(colbert.state_dict(), folder / "colbert_linear.pt")
    return folder


def make_tiny_reranker(folder: Path) -> Path:
    """Write a cross-encoder and return its folder; the same weights every time."""
    torch.manual_seed(7)
    XLMRobertaForSequenceClassification(_config(num_labels=1)).save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    return folder


def _config(**changes: int) -> XLMRobertaConfig:
    return XLMRobertaConfig(
        vocab_size=len(_pieces()),
        hidden_size=_HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=MAX_TOKENS + 2,  # XLM-R counts positions from the padding id + 1
        type_vocab_size=1,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
        initializer_range=0.5,  # with the usual 0.02 every text looks the same
        **changes,
    )


def _pieces() -> list[tuple[str, float]]:
    letters = string.ascii_letters + string.digits + string.punctuation + "▁" + _CHINESE
    words = [f"▁{word}" for word in _WORDS] + [f"▁{letter}" for letter in string.ascii_lowercase]
    plain = [(piece, -3.0 - len(piece) / 100) for piece in dict.fromkeys([*letters, *words])]
    return [*((special, 0.0) for special in _SPECIAL), *plain]


def _tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.Unigram(_pieces(), unk_id=3))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", cls_token="<s>", eos_token="</s>", sep_token="</s>",
        pad_token="<pad>", unk_token="<unk>", model_max_length=MAX_TOKENS,
    )  # fmt: skip
