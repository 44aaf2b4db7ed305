"""LoRA adapters on a model of random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab.tiny import SHAPES, TINY, tiny_adapter, tiny_model
from vaultbridge.backends.llama import LlamaDecoder
from vaultbridge.core.dialogue import Sampling
from vaultbridge.core.errors import ModelInvalid
from vaultbridge.core.ports import Segment

TOKENS = [1, 300, 301, 302, 300, 310]
ALL = Sampling(logprobs=TINY.vocabulary)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("adapters")


@pytest.fixture(scope="module", params=["llama", "gemma3"])
def architecture(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(folder: Path, architecture: str) -> Path:
    return tiny_model(folder, SHAPES[architecture])


def opened(model: Path, adapter: Path | None) -> LlamaDecoder:
    return LlamaDecoder(model, "tiny", 64, slots=2, batch=32, threads=1, adapter=adapter)


def scores(model: Path, adapter: Path | None) -> dict[bytes, float]:
    """The log probability of every token behind some, by its bytes."""
    decoder = opened(model, adapter)
    try:
        decoder.decode([Segment(0, 0, TOKENS, outputs=1)])
        sampler = decoder.sampler(ALL)
        try:
            return {one.data: one.logprob for one in sampler.logprob(len(TOKENS) - 1, 300).top}
        finally:
            sampler.close()
    finally:
        decoder.close()


def test_an_adapter_changes_what_the_model_says_and_one_of_zeros_does_not(model: Path, architecture: str) -> None:
    shape = SHAPES[architecture]
    plain = scores(model, None)
    assert len(plain) > TINY.vocabulary // 2
    nothing = scores(model, tiny_adapter(model.with_suffix(".zero"), shape, size=0.0))
    assert nothing == pytest.approx(plain, abs=1e-5)
    something = scores(model, tiny_adapter(model.with_suffix(".lora"), shape))
    assert max(abs(something[token] - plain[token]) for token in plain) > 0.1


def test_every_sequence_is_computed_with_it(model: Path, architecture: str) -> None:
    adapter = tiny_adapter(model.with_suffix(".lora"), SHAPES[architecture])
    decoder = opened(model, adapter)
    try:
        rows = []
        for slot in (0, 1):
            decoder.decode([Segment(slot, 0, TOKENS, outputs=1)])
            sampler = decoder.sampler(ALL)
            rows.append({one.data: one.logprob for one in sampler.logprob(len(TOKENS) - 1, 300).top})
            sampler.close()
        assert rows[0] == pytest.approx(rows[1], abs=1e-5)
        assert rows[0] == pytest.approx(scores(model, adapter), abs=1e-5)
    finally:
        decoder.close()


def test_an_adapter_of_another_model_is_refused_with_the_reason(folder: Path, model: Path, architecture: str) -> None:
    wider = replace(SHAPES[architecture], embedding=512)
    with pytest.raises(ModelInvalid, match=r"no LoRA adapter for this model.*incorrect shape"):
        opened(model, tiny_adapter(folder / "wider.gguf", wider))
    deeper = replace(SHAPES[architecture], layers=9)
    with pytest.raises(ModelInvalid, match=r"no LoRA adapter for this model.*does not exist"):
        opened(model, tiny_adapter(folder / "deeper.gguf", deeper))
    with pytest.raises(ModelInvalid, match=r"no LoRA adapter for this model.*mismatch"):
        opened(model, tiny_adapter(folder / "other.gguf", replace(SHAPES[architecture], architecture="qwen2")))


def test_what_is_no_adapter_is_refused(folder: Path, model: Path) -> None:
    whole = tiny_adapter(folder / "whole.gguf").read_bytes()
    for name, content in {"empty": b"", "cut": whole[: len(whole) // 2], "text": b"hello"}.items():
        (folder / name).write_bytes(content)
        with pytest.raises(ModelInvalid, match="no LoRA adapter"):
            opened(model, folder / name)
    with pytest.raises(ModelInvalid, match="no LoRA adapter"):
        opened(model, model)
    with pytest.raises(ModelInvalid, match="no LoRA adapter"):
        opened(model, tiny_adapter(folder / "kind.gguf", kind="model"))
