"""Marks that are tokens of their own: read where the template wrote them, shown where a reader needs them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import llama_cpp
import pytest

from tests.live.starters import starter
from vaultbridge.backends.llama_vocabulary import LlamaVocabulary

CONTROL, USER_DEFINED = (3).to_bytes(4, "little"), (4).to_bytes(4, "little")


@pytest.fixture(scope="module")
def handle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """SmolLM2's vocabulary with ``<|channel>`` as a control token and ``<empty_output>`` as a user-defined one."""
    data = bytearray(starter("smollm2-135m-instruct").read_bytes())
    place = data.index(b"tokenizer.ggml.tokens")
    at = data.index(b"<gh_stars>", place)
    data[at : at + 10] = b"<|channel>"
    types = data.index(b"tokenizer.ggml.token_type") + len(b"tokenizer.ggml.token_type") + 4 + 4 + 8
    assert data[types + 4 * 16 : types + 4 * 17] == CONTROL
    data[types + 4 * 16 : types + 4 * 17] = USER_DEFINED
    path: Path = tmp_path_factory.mktemp("vocabulary") / "patched.gguf"
    path.write_bytes(data)
    params = llama_cpp.llama_model_default_params()
    params.vocab_only = True
    model = llama_cpp.llama_model_load_from_file(os.fsencode(path), params)
    path.unlink()
    yield llama_cpp.llama_model_get_vocab(model)
    llama_cpp.llama_model_free(model)


TEMPLATE = "{{ '<|im_start|>' }}<empty_output>{% if x %}<|channel>thought{% endif %}"


def special(vocabulary: LlamaVocabulary, text: str) -> int:
    (token,) = vocabulary.tokenize(text, special=True)
    return token


def test_a_mark_that_a_reader_needs_is_shown_and_no_other_control_token_is(handle: Any) -> None:
    vocabulary = LlamaVocabulary(handle, TEMPLATE)
    assert vocabulary.token_bytes(special(vocabulary, "<|channel>")) == b"<|channel>"
    assert vocabulary.token_bytes(special(vocabulary, "<|im_start|>")) == b""
    assert vocabulary.token_bytes(special(vocabulary, "<file_sep>")) == b""


def test_a_mark_that_the_template_does_not_use_is_not_shown(handle: Any) -> None:
    vocabulary = LlamaVocabulary(handle, "{{ '<|im_start|>' }}")
    assert vocabulary.token_bytes(special(vocabulary, "<|channel>")) == b""


def test_what_people_wrote_never_becomes_a_mark(handle: Any) -> None:
    """llama.cpp itself reads user-defined tokens in any text."""
    text = "a <empty_output><empty_output> and <|channel>thought <|im_start|> <"
    mark = special(LlamaVocabulary(handle), "<empty_output>")
    assert mark in LlamaVocabulary(handle).tokenize(text)
    vocabulary = LlamaVocabulary(handle, TEMPLATE)
    tokens = vocabulary.tokenize(text)
    assert mark not in tokens
    assert b"".join(map(vocabulary.token_bytes, tokens)).decode() == text
    assert mark in vocabulary.tokenize(text, special=True)


def test_a_vocabulary_without_tokens_for_gaps_has_none(handle: Any) -> None:
    assert LlamaVocabulary(handle).middle is None
