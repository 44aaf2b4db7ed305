from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.contracts.tiny_bert import make_tiny_bert_folder
from tests.contracts.tiny_m3 import make_tiny_m3
from vaultbridge.backends.flag_embedding import Flag, FlagM3
from vaultbridge.backends.flag_weights import Weights, heads_of, weights_of, write_weights
from vaultbridge.catalog.supply import Supply
from vaultbridge.catalog.tuned import SHEET, TunedSheet
from vaultbridge.core.errors import ConfigError, ModelInvalid
from vaultbridge.lab.training.mixing import mixed, write_mix

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

OPTIONS = {"pooling": "mean", "query_prefix": "query: ", "max_tokens": 64}
BERT = TunedSheet("tiny-run", "embedder", "flag", "tiny", OPTIONS)
TEXTS = ["water the garden", "a task with a due date"]


def numbers(*values: float) -> Weights:
    return np.array(values, np.float32)


def moved(base: Path, tuned: Path) -> Path:
    """As if a run had changed every weight."""
    tuned.mkdir()
    random = np.random.default_rng(1)

    def changed(weights: dict[str, Weights]) -> dict[str, Weights]:
        return {
            name: (weight + random.normal(0, 0.05, weight.shape)).astype(np.float32) for name, weight in weights.items()
        }

    heads = {name: changed(head) for name, head in heads_of(base).items()}
    write_weights(tuned, changed(weights_of(base)), heads)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tuned / name).write_bytes((base / name).read_bytes())
    return tuned


def test_a_share_between_two_weights() -> None:
    base, tuned = {"w": numbers(0, 2)}, {"w": numbers(4, 4)}
    assert mixed(base, tuned, 0.25)["w"].tolist() == [1.0, 2.5]
    assert mixed(base, tuned, 0.25)["w"].dtype == np.float32


def test_what_the_base_does_not_have_stays_and_prefixed_names_are_known() -> None:
    base = {"bert.encoder.w": numbers(0), "embeddings.position_ids": numbers(7)}
    tuned = {"encoder.w": numbers(2), "pooler.w": numbers(5)}
    assert {name: weight.tolist() for name, weight in mixed(base, tuned, 0.5).items()} == {
        "encoder.w": [1.0],
        "pooler.w": [5.0],
    }


def test_two_architectures_are_not_mixed() -> None:
    with pytest.raises(ModelInvalid, match="no weight in common"):
        mixed({"a": numbers(0)}, {"b": numbers(0)}, 0.5)
    with pytest.raises(ModelInvalid, match="w is"):
        mixed({"w": numbers(0)}, {"w": numbers(0, 1)}, 0.5)


def test_a_mix_embeds_from_the_base_to_the_tuned_model(tmp_path: Path) -> None:
    base = make_tiny_bert_folder(tmp_path / "base")
    tuned = moved(base, tmp_path / "tuned")

    def vectors(folder: Path) -> Weights:
        found = Flag(folder, name="x", pooling="mean").embed(TEXTS, "document")
        return np.stack([embedding.dense for embedding in found])

    for share in (0.0, 0.5, 1.0):
        write_mix(base, tuned, share, tmp_path / f"{share}", BERT)
    assert np.allclose(vectors(tmp_path / "0.0"), vectors(base), atol=1e-6)
    assert np.allclose(vectors(tmp_path / "1.0"), vectors(tuned), atol=1e-6)
    assert not np.allclose(vectors(tmp_path / "0.5"), vectors(base), atol=1e-3)


def test_all_heads_of_m3_are_mixed(tmp_path: Path) -> None:
    base = make_tiny_m3(tmp_path / "base")
    tuned = moved(base, tmp_path / "tuned")
    sheet = TunedSheet("tiny-run", "embedder", "flag-m3", "tiny", {"max_tokens": 64})
    for share, wanted in ((0.0, base), (1.0, tuned)):
        write_mix(base, tuned, share, tmp_path / f"{share}", sheet)
        both = [
            FlagM3(folder, name="x", max_tokens=64, multi=True).embed(TEXTS, "query")
            for folder in (tmp_path / f"{share}", wanted)
        ]
        for one, other in zip(*both, strict=True):
            assert one.multi is not None
            assert other.multi is not None
            assert np.allclose(one.dense, other.dense, atol=1e-6)
            assert np.allclose(one.multi, other.multi, atol=1e-6)
            assert one.sparse.keys() == other.sparse.keys()


def test_a_base_that_is_a_pickled_file_is_mixed_too(tmp_path: Path) -> None:
    base = make_tiny_m3(tmp_path / "base")
    tuned = moved(base, tmp_path / "tuned")
    weights = weights_of(base)
    torch.save({name: torch.from_numpy(weight.copy()) for name, weight in weights.items()}, base / "pytorch_model.bin")
    (base / "model.safetensors").unlink()
    write_mix(base, tuned, 0.0, tmp_path / "mix", TunedSheet("tiny-run", "embedder", "flag-m3", "tiny"))
    again = weights_of(tmp_path / "mix")
    assert all(np.array_equal(again[name], weight) for name, weight in weights.items())


def test_it_is_run_as_its_base_is(tmp_path: Path) -> None:
    base = make_tiny_bert_folder(tmp_path / "base")
    (base / "model.json").write_text("{}")  # the receipt of a fetched model
    (base / "1_Pooling").mkdir()
    (base / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    write_mix(base, moved(base, tmp_path / "tuned"), 0.5, tmp_path / "model", BERT)
    model = Supply().resolve(str(tmp_path / "model"), "embedder")
    assert (model.name, model.backend, model.options) == ("tiny-run", "flag", OPTIONS)
    assert (tmp_path / "model" / "1_Pooling" / "config.json").is_file()
    assert not (tmp_path / "model" / "model.json").exists()
    with pytest.raises(ConfigError, match="for the role embedder"):
        Supply().resolve(str(tmp_path / "model"), "reranker")
    (tmp_path / "model" / SHEET).write_text("{")
    with pytest.raises(ModelInvalid, match=SHEET):
        Supply().resolve(str(tmp_path / "model"), "embedder")
