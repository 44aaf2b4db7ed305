"""Random models: llama.cpp loads them and runs them, in every type and for every architecture."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab.tiny import SHAPES, TINY, tiny_model
from tests.live.starters import starter
from vaultbridge.backends.llama import LlamaDecoder
from vaultbridge.catalog.gguf_header import GgufHeader
from vaultbridge.core.dialogue import Sampling
from vaultbridge.core.errors import InvalidRequest
from vaultbridge.core.ports import Segment
from vaultbridge.lab import model_shape
from vaultbridge.lab.model_shape import Shape
from vaultbridge.lab.random_model import QUANTS, write_random_model


def logprob_of_next(path: Path) -> float:
    """Load a model, decode a prompt and a token: the log probability of what comes next."""
    with closing(LlamaDecoder(path, "tiny", 256, slots=1, cache=256, threads=1)) as decoder:
        sampler = decoder.sampler(Sampling(temperature=0.0, logprobs=0))
        with closing(sampler):
            decoder.decode([Segment(0, 0, [1, 300, 301, 302], outputs=1)])
            token = sampler.sample(3)
            decoder.decode([Segment(0, 4, [token], outputs=1)])
            return sampler.logprob(0, sampler.sample(0)).logprob


@pytest.mark.parametrize("quant", QUANTS)
def test_every_type_runs_without_infinities(tmp_path: Path, quant: str) -> None:
    assert math.isfinite(logprob_of_next(tiny_model(tmp_path, TINY, quant)))


@pytest.mark.parametrize("name", SHAPES)
def test_every_architecture_runs(tmp_path: Path, name: str) -> None:
    assert math.isfinite(logprob_of_next(tiny_model(tmp_path, SHAPES[name], "q4_0")))


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_is_read_back_as_it_was_written(tmp_path: Path, name: str) -> None:
    assert Shape.of(GgufHeader.read(tiny_model(tmp_path, SHAPES[name]))) == SHAPES[name]


def test_matrices_have_the_type_that_was_asked_for(tmp_path: Path) -> None:
    tensors = GgufHeader.read(tiny_model(tmp_path, TINY, "q4_k")).tensors
    assert {tensor.type for tensor in tensors if len(tensor.shape) == 2} == {"q4_k"}
    assert {tensor.type for tensor in tensors if len(tensor.shape) == 1} == {"f32"}


def test_rows_that_are_too_short_fall_back_as_in_llama_cpp(tmp_path: Path) -> None:
    path = tiny_model(tmp_path, replace(TINY, embedding=288, head=72), "q4_k")
    types = {tensor.name: tensor.type for tensor in GgufHeader.read(path).tensors}
    assert (types["blk.0.attn_q.weight"], types["blk.0.ffn_down.weight"]) == ("q5_0", "q4_k")
    assert math.isfinite(logprob_of_next(path))


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    one, other, third = (tmp_path / name for name in "abc")
    write_random_model(one, TINY, "q4_0", seed=1)
    write_random_model(other, TINY, "q4_0", seed=1)
    write_random_model(third, TINY, "q4_0", seed=2)
    assert one.read_bytes() == other.read_bytes() != third.read_bytes()


def test_what_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"q9_9.*q8_0"):
        write_random_model(tmp_path / "x", TINY, "q9_9")
    with pytest.raises(InvalidRequest, match="Rows of 40"):
        write_random_model(tmp_path / "x", replace(TINY, embedding=40), "q8_0")
    with pytest.raises(InvalidRequest, match="gemma-2b"):
        Shape.named("gemma-2c")
    with pytest.raises(InvalidRequest, match="mamba"):
        Shape.of(GgufHeader({"general.architecture": "mamba"}, ()))
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("name", "millions"),
    # As their makers state them; Gemma 2B's and Gemma 3's with the embedding table.
    [
        ("smollm2-135m", 135),
        ("gemma-3-270m", 268),
        ("qwen2.5-0.5b", 494),
        ("qwen3-0.6b", 596),
        ("gemma-3-1b", 1000),
        ("llama-3.2-1b", 1236),
        ("gemma-2b", 2506),
        ("gemma-2-2b", 2614),
        ("gemma-3-4b", 3880),
        ("mistral-7b", 7242),
        ("qwen3-30b-a3b", 30532),
    ],
)
def test_named_shapes_have_as_many_weights_as_the_models(name: str, millions: int) -> None:
    shape = Shape.named(name)
    weights = sum(math.prod(size) for _, size in (*shape.matrices(), *shape.vectors()))
    assert weights / 1e6 == pytest.approx(millions, rel=5e-3)


def test_all_named_shapes_are_of_known_architectures() -> None:
    assert {shape.architecture for shape in model_shape.SHAPES.values()} <= model_shape.ARCHITECTURES


@pytest.mark.live
@pytest.mark.parametrize(
    ("model", "shape"), [("smollm2-135m-instruct", "smollm2-135m"), ("gemma-3-270m", "gemma-3-270m")]
)
def test_named_shapes_are_those_of_the_real_files(model: str, shape: str) -> None:
    assert Shape.of(GgufHeader.read(starter(model))) == Shape.named(shape)
