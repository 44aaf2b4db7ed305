"""An exported embedder against the one in torch: the same space in fp32, one near to it in 8 bits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from tests.contracts.test_embedder import AWKWARD, TEXTS, fetched, quiet
from tests.contracts.tiny_bert import make_tiny_bert_folder
from tests.contracts.tiny_m3 import MAX_TOKENS, make_tiny_m3
from vaultbridge.backends import onnx_export
from vaultbridge.backends.flag_embedding import Flag, FlagM3
from vaultbridge.backends.onnx_embedding import OnnxEmbedder
from vaultbridge.backends.onnx_export import export, fastest
from vaultbridge.backends.onnx_folder import FOLDER, GRAPHS, SHEET, Agreement, Sheet, read_sheet, write_sheet
from vaultbridge.builds import as_run
from vaultbridge.catalog.supply import Model, Supply
from vaultbridge.core.errors import ConfigError, ModelInvalid, ModelMissing
from vaultbridge.core.ports import Embedder
from vaultbridge.core.search import Vector

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

SAMPLES = [*TEXTS, *AWKWARD, "the garden " * 90, "task " * 40, "due today " * 700]
Kind = Literal["flag", "flag-m3"]


@dataclass(frozen=True, slots=True)
class Exported:
    """A tiny model, its export, and what both are told."""

    folder: Path
    out: Path
    kind: Kind
    options: dict[str, Any]
    sheet: Sheet

    def torch(self, **further: Any) -> Embedder:
        with quiet():
            return (FlagM3 if self.kind == "flag-m3" else Flag)(self.folder, name="tiny", **self.options, **further)

    def onnx(self, **further: Any) -> OnnxEmbedder:
        own = {name: value for name, value in self.options.items() if name != "pooling"}
        return OnnxEmbedder(self.out, name="tiny", **own, **further)


def exported(folder: Path, kind: Kind, **options: Any) -> Exported:
    model = folder / "model"
    make_tiny_m3(model) if kind == "flag-m3" else make_tiny_bert_folder(model)
    with quiet():
        return Exported(model, folder / "out", kind, options, export(model, kind, options, folder / "out"))


@pytest.fixture(scope="module")
def m3(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return exported(tmp_path_factory.mktemp("m3"), "flag-m3", max_tokens=MAX_TOKENS)


@pytest.fixture(scope="module")
def mean(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return exported(tmp_path_factory.mktemp("mean"), "flag", pooling="mean", query_prefix="search: ")


@pytest.fixture(scope="module")
def cls(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return exported(tmp_path_factory.mktemp("cls"), "flag", pooling="cls", document_prefix="note: ")


def dense(embedder: Embedder, texts: list[str], lane: Any = "document") -> Vector:
    return np.stack([embedding.dense for embedding in embedder.embed(texts, lane)])


def test_every_head_gives_what_torch_gives(m3: Exported) -> None:
    pairs = zip(
        m3.onnx(multi=True).embed(SAMPLES, "document"), m3.torch(multi=True).embed(SAMPLES, "document"), strict=True
    )
    for ours, theirs in pairs:
        assert np.allclose(ours.dense, theirs.dense, atol=1e-3)
        assert ours.sparse == pytest.approx(theirs.sparse, abs=1e-3)
        assert ours.multi is not None and theirs.multi is not None
        assert ours.multi.shape == theirs.multi.shape
        assert np.allclose(ours.multi, theirs.multi, atol=1e-3)


@pytest.mark.parametrize("name", ["mean", "cls"])
@pytest.mark.parametrize("lane", ["query", "document"])
def test_either_pooling_and_prefix_gives_what_torch_gives(name: str, lane: str, request: pytest.FixtureRequest) -> None:
    model: Exported = request.getfixturevalue(name)
    assert np.allclose(dense(model.onnx(), SAMPLES, lane), dense(model.torch(), SAMPLES, lane), atol=1e-3)


def test_fp32_is_torchs_space_and_8_bits_are_another(m3: Exported, mean: Exported, cls: Exported) -> None:
    spaces = set()
    for model, further in ((m3, {}), (m3, {"multi": True}), (mean, {}), (cls, {})):
        space = model.torch(**further).info.fingerprint
        assert model.onnx(**further).info == model.torch(**further).info
        spaces |= {space, model.onnx(precision="int8", **further).info.fingerprint}
    assert len(spaces) == 8


@pytest.mark.parametrize("name", ["m3", "mean", "cls"])
def test_8_bits_find_what_32_find(name: str, request: pytest.FixtureRequest) -> None:
    model: Exported = request.getfixturevalue(name)
    texts = [text for text in SAMPLES if text.strip("\0 \n\t\u200b")]
    full, small = dense(model.onnx(), texts), dense(model.onnx(precision="int8"), texts)
    assert np.vecdot(full, small).min() > 0.9
    assert ((small @ full.T).argmax(1) == (full @ full.T).argmax(1)).all()


def test_a_vector_of_8_bits_does_not_depend_on_the_texts_beside_it(m3: Exported) -> None:
    small = m3.onnx(precision="int8", multi=True)
    for together, text in zip(small.embed(SAMPLES, "document"), SAMPLES, strict=True):
        (alone,) = small.embed([text], "document")
        assert (together.dense == alone.dense).all()
        assert together.sparse == alone.sparse


def test_8_bits_are_a_fraction_of_the_size(m3: Exported) -> None:
    """Of a tiny model the graph itself is much of the file."""
    sizes = [(m3.out / GRAPHS[precision]).stat().st_size for precision in ("int8", "fp32")]
    assert sizes[0] < sizes[1]


def test_the_sheet_says_how_near_both_are(m3: Exported, mean: Exported) -> None:
    for model in (m3, mean):
        assert read_sheet(model.out) == model.sheet
        assert model.sheet.agreement["fp32"].score <= 1e-3
        assert model.sheet.agreement["fp32"].cosine > model.sheet.agreement["int8"].cosine > 0.9
        assert set(model.sheet.seconds) == {"torch", "onnx", "onnx-int8"}


def test_real_weights_agree_and_rank_in_8_bits(tmp_path: Path) -> None:
    model = fetched("all-minilm-l6-v2")
    with quiet():
        sheet = export(model.path, "flag", model.options, tmp_path / "out")
    assert sheet.agreement["fp32"].score <= 1e-3
    assert sheet.agreement["int8"].cosine >= onnx_export.SOUND_COSINE
    small = OnnxEmbedder(tmp_path / "out", name="minilm", precision="int8", **sheet.options)
    question = dense(small, ["When should I water the garden?"], "query")[0]
    near, far = dense(small, ["Water the garden early in the morning.", "The tax office closes at noon."]) @ question
    assert near > small.info.floor > far


# --- what is written --------------------------------------------------------------------------------------------------


def test_a_graph_that_disagrees_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_export, "TOLERANCE", -1.0)
    make_tiny_bert_folder(tmp_path / "model")
    with quiet(), pytest.raises(ModelInvalid, match="differ"):
        export(tmp_path / "model", "flag", {}, tmp_path / "out", int8=False)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_export_is_replaced_and_anything_else_left_alone(tmp_path: Path) -> None:
    model, out = make_tiny_bert_folder(tmp_path / "model"), tmp_path / "out"
    out.mkdir()
    (out / "letter.txt").write_text("dear")
    with pytest.raises(ConfigError, match="something else"):
        export(model, "flag", {}, out)
    assert (out / "letter.txt").read_text() == "dear"
    (out / "letter.txt").unlink()
    with quiet():
        export(model, "flag", {}, out)
        assert (out / GRAPHS["int8"]).is_file()
        export(model, "flag", {}, out, int8=False)
    assert not (out / GRAPHS["int8"]).exists()
    with pytest.raises(ModelMissing, match=r"model\.int8\.onnx"):
        OnnxEmbedder(out, name="tiny", precision="int8")


@pytest.mark.parametrize("file", [SHEET, "model.onnx", "tokenizer.json"])
def test_damage_says_to_export_again(mean: Exported, tmp_path: Path, file: str) -> None:
    for name in (SHEET, "model.onnx", "tokenizer.json"):
        (tmp_path / name).write_bytes((mean.out / name).read_bytes() if name != file else b"not that")
    with pytest.raises(ModelInvalid) as caught:
        OnnxEmbedder(tmp_path, name="tiny")
    assert "export-onnx" in caught.value.hint


# --- which one is run -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("torch", "onnx", "int8", "cosine", "chosen"),
    [
        (4.0, 3.0, 1.0, 0.99, "onnx-int8"),
        (4.0, 3.0, 2.9, 0.99, "onnx"),  # not worth to embed every note again
        (4.0, 3.0, 1.0, 0.50, "onnx"),  # not sound
        (0.1, 3.0, 1.0, 0.99, "torch"),  # a graphics card
    ],
)
def test_the_fastest_sound_one_is_taken(torch: float, onnx: float, int8: float, cosine: float, chosen: str) -> None:
    agreements: Any = {"fp32": Agreement(1.0, 1e-6), "int8": Agreement(cosine, 0.01)}
    assert fastest({"torch": torch, "onnx": onnx, "onnx-int8": int8}, agreements) == chosen


def test_without_8_bits_it_is_the_faster_of_two() -> None:
    assert fastest({"torch": 2.0, "onnx": 1.0}, {"fp32": Agreement(1.0, 0.0)}) == "onnx"


@pytest.fixture
def beside(mean: Exported, tmp_path: Path) -> Iterator[Model]:
    """A model with its export in the place where it is looked for."""
    for file in (*mean.folder.iterdir(), *mean.out.iterdir()):
        target = tmp_path / "model" / (FOLDER if file.parent == mean.out else "") / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    write_sheet(tmp_path / "model" / FOLDER, replace(mean.sheet, fastest="onnx-int8"))
    yield Model("tiny", tmp_path / "model", "flag", {"pooling": "mean", "query_prefix": "q: "})


@pytest.mark.parametrize(
    ("runtime", "backend", "precision"),
    [("auto", "onnx", "int8"), ("torch", "flag", None), ("onnx", "onnx", "fp32"), ("onnx-int8", "onnx", "int8")],
)
def test_the_settings_decide_or_what_was_fastest(
    beside: Model, runtime: str, backend: str, precision: str | None
) -> None:
    run = as_run(beside, runtime)
    assert (run.backend, run.options.get("precision")) == (backend, precision)
    assert run.options["query_prefix"] == "q: "  # what the catalogue says goes before what it said when it was exported


def test_an_export_of_other_weights_is_not_used(beside: Model) -> None:
    config = json.loads((beside.path / "config.json").read_text())
    (beside.path / "config.json").write_text(json.dumps(config | {"changed": True}))
    assert as_run(beside, "auto") == beside
    with pytest.raises(ModelMissing, match="not what was exported"):
        as_run(beside, "onnx")


def test_without_an_export_torch_is_run_unless_onnx_is_asked_for(tmp_path: Path) -> None:
    model = Model("tiny", make_tiny_bert_folder(tmp_path), "flag")
    assert as_run(model, "auto") == model
    with pytest.raises(ModelMissing, match="not exported"):
        as_run(model, "onnx-int8")


def test_an_export_is_a_model_by_itself(cls: Exported) -> None:
    found = Supply().resolve(str(cls.out), "embedder")
    run = as_run(found, "auto")
    assert run.backend == "onnx"
    embedder = OnnxEmbedder(run.path, name=run.name, **run.options)
    assert embedder.info.max_tokens == cls.torch().info.max_tokens
    assert as_run(found, "torch").options["precision"] == "fp32"  # there is nothing else in it that could be run
