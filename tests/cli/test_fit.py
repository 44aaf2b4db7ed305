"""``models info`` and ``models recommend``, as the command line shows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.lab.tiny import SHAPES, split, tiny_adapter, tiny_model, with_figure
from vaultbridge.cli.app import app
from vaultbridge.core.errors import ModelInvalid, ModelMissing


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["models", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def info(path: Path, *options: str) -> Any:
    return json.loads(run("info", str(path), "--json", *options))


def test_a_file_is_told_by_its_own_metadata(tmp_path: Path) -> None:
    view = info(tiny_model(tmp_path, SHAPES["gemma3"], "q4_0"), "--context", "1024", "--slots", "2")
    assert (view["architecture"], view["layers"], view["heads"], view["kv_heads"]) == ("gemma3", 7, 4, 2)
    assert view["trained_context"] == 2048
    assert view["window"] == {"tokens": 64, "layers": 6}
    assert set(view["weights"]) == {"q4_0", "f32"}
    assert view["cache_bytes_per_token"] == 7 * 2 * 2 * 64 * 2, "layers, keys and values, groups, width, f16"
    assert (view["plan"]["context"], view["plan"]["slots"]) == (1024, 2)
    assert view["plan"]["fits"]
    assert view["tokens_per_second"] > 0


def test_a_longer_context_takes_more(tmp_path: Path) -> None:
    path = tiny_model(tmp_path)
    short, long = (info(path, "--context", context)["memory_use"] for context in ("512", "2048"))
    assert long["cache"] == 4 * short["cache"]
    assert long["weights"] == short["weights"]


def test_people_read_the_same(tmp_path: Path) -> None:
    text = run("info", str(tiny_model(tmp_path)))
    assert "4 heads over 2 of keys and values" in text
    assert "fits      yes" in text
    assert "tokens/s" in text


def test_of_a_model_that_is_not_here_the_catalogue_says_what_it_knows() -> None:
    view = json.loads(run("info", "gemma-3-12b-it", "--json"))
    assert view["memory"] > 0
    assert "architecture" not in view


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing):
        run("info", "gemma-3-5b-it")
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(tiny_model(tmp_path).read_bytes()[:300])
    with pytest.raises(ModelInvalid):
        run("info", str(cut))


def test_a_gemma_is_recommended_with_its_reason() -> None:
    view = json.loads(run("recommend", "--json"))
    assert view["recommended"] in {model["name"] for model in view["models"]}
    text = run("recommend")
    assert f"vaultbridge models pull {view['recommended']}" in text or "vaultbridge models pull" in text


def test_a_model_in_parts_is_told_as_a_whole(tmp_path: Path) -> None:
    whole = tiny_model(tmp_path)
    (tmp_path / "parts").mkdir()
    first, second = split(whole, tmp_path / "parts", 2)
    assert info(first)["memory_use"] == info(whole)["memory_use"]
    second.unlink()
    with pytest.raises(ModelInvalid, match=second.name):
        run("info", str(first))


def test_an_adapter_is_counted(tmp_path: Path) -> None:
    whole, adapter = tiny_model(tmp_path), tiny_adapter(tmp_path / "diary.gguf")
    both = info(Path(f"{whole}+{adapter}"))
    assert both["name"] == f"{whole.stem}+diary"
    assert both["memory_use"]["weights"] > info(whole)["memory_use"]["weights"]


def test_figures_that_no_model_has_are_refused(tmp_path: Path) -> None:
    (tmp_path / "flat.gguf").write_bytes(with_figure(tiny_model(tmp_path), "block_count", 0))
    with pytest.raises(ModelInvalid, match="0 layers"):
        run("info", str(tmp_path / "flat.gguf"))
