"""A model of BGE-M3's shape and random weights: it says nothing, at the speed of the real one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
_PIECES = 8000
"""With so many, learned from English notes, a token is about as long as one of XLM-R's 250,000."""
_WIDTH = 1024


def write_random_m3(folder: Path, texts: Sequence[str]) -> None:
    """Write it, 2.3 GB, with both of its further heads, and a tokenizer that is learned from ``texts``."""
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=250_002,
        hidden_size=_WIDTH,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
        max_position_embeddings=8194,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
    )
    XLMRobertaModel(config).save_pretrained(folder)
    _tokenizer(texts).save_pretrained(folder)
    torch.save(torch.nn.Linear(_WIDTH, 1).state_dict(), folder / "sparse_linear.pt")
    torch.save(torch.nn.Linear(_WIDTH, _WIDTH).state_dict(), folder / "colbert_linear.pt")


def _tokenizer(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=_PIECES, special_tokens=list(_SPECIAL), unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    begin, pad, end, unknown = _SPECIAL
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=begin, cls_token=begin, eos_token=end, sep_token=end,
        pad_token=pad, unk_token=unknown, model_max_length=8192,
    )  # fmt: skip
