"""``vaultbridge models export-onnx`` as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from gguf import PoolingType
from typer.testing import CliRunner, Result

from tests.contracts.test_embedder import quiet
from tests.contracts.tiny_bert import make_tiny_bert, make_tiny_bert_folder
from vaultbridge.backends.onnx_folder import FOLDER, GRAPHS
from vaultbridge.cli.app import app
from vaultbridge.core.errors import ConfigError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


def export(*arguments: str | Path) -> Result:
    with quiet():
        return CliRunner().invoke(app, ["models", "export-onnx", *map(str, arguments)], env={"COLUMNS": "200"})


def test_it_writes_beside_the_model_and_says_how_both_compare(tmp_path: Path) -> None:
    model = make_tiny_bert_folder(tmp_path / "model")
    result = export(model)
    assert result.exit_code == 0, result.output
    rows = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert "cosine" in rows["onnx"] and "cosine" in rows["onnx-int8"]
    assert "models.embedder_runtime" in result.stdout
    assert all((model / FOLDER / graph).is_file() for graph in GRAPHS.values())


def test_elsewhere_and_without_8_bits(tmp_path: Path) -> None:
    result = export(make_tiny_bert_folder(tmp_path / "model"), "--out", tmp_path / "out", "--no-int8")
    assert result.exit_code == 0, result.output
    assert f"--embedder {tmp_path / 'out'}" in result.stdout.replace("\n", "")
    assert sorted(path.name for path in (tmp_path / "out").glob("*.onnx")) == [GRAPHS["fp32"]]
    assert not (tmp_path / "model" / FOLDER).exists()


def test_what_another_library_runs_is_refused(tmp_path: Path) -> None:
    result = export(make_tiny_bert(tmp_path / "tiny.gguf", PoolingType.MEAN))
    assert isinstance(result.exception, ConfigError)
    assert "llama-embedder" in result.exception.message
