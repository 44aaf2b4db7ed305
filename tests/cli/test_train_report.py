"""``vaultbridge train report`` as a user types it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.contracts.test_embedder import quiet
from tests.lab.training.a_run import NOTES, make_run
from vaultbridge.cli.app import app
from vaultbridge.core.errors import ConfigError, ModelMissing
from vaultbridge.lab.training.gain import FILE
from vaultbridge.lab.training.page import FILE as PAGE

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


def report(*arguments: str | Path) -> Result:
    with quiet():
        return CliRunner().invoke(app, ["train", "report", *map(str, arguments)], env={"COLUMNS": "200"})


def collection(folder: Path) -> Path:
    (folder / "qrels").mkdir(parents=True)
    documents = [{"_id": note, "title": "", "text": text} for note, text in NOTES.items()]
    queries = [{"_id": f"q{note}", "text": text.split()[0]} for note, text in NOTES.items()]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, documents)))
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    judged = [f"q{note}\t{note}\t1" for note in NOTES]
    (folder / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]) + "\n")
    return folder


def figures(told: dict[str, Any]) -> list[str]:
    """As the page has them."""
    return [f"{100 * told[when]['mean']:.1f}" for when in ("before", "after")]


def test_files_and_table_hold_the_same_figures(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    result = report(run.folder, "--general", collection(tmp_path / "words"), "--limit", "2")
    assert result.exit_code == 0, result.output + repr(result.exception)
    told = json.loads((run.folder / FILE).read_text())
    page = (run.folder / PAGE).read_text()
    assert set(told["test"]) == set(told["validation"]) == {"heading", "word", "all"}
    assert told["test"]["all"]["nDCG@10"]["queries"] == 2 * len(NOTES)
    assert told["general"]["words"]["nDCG@10"]["queries"] == 2
    assert not told["pipeline"]
    lines = result.stdout.splitlines()
    for part in ("test", "validation", "general"):
        for kind, row in told[part].items():
            before, after = figures(row["nDCG@10"])
            assert f">{before} <small>" in page and f">{after} <small>" in page
            assert any(line[:26].strip() == kind and before in line and after in line for line in lines)
    assert "1.0 minutes" in page
    assert "0.5, by nDCG@10 on validation: 0.0 50.0, 0.5 62.5" in page


def test_json_is_the_proof_alone(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    assert json.loads(report(run.folder, "--json").stdout) == json.loads((run.folder / FILE).read_text())


def test_the_real_search_is_asked_too(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    vault = tmp_path / "vault"
    vault.mkdir()
    for name, text in NOTES.items():
        (vault / name).write_text(text)
    config = tmp_path / "vaultbridge.toml"
    config.write_text('[models]\nbackend = "fakes"\n')
    places = ("--vault", vault, "--data", tmp_path / "data", "--config", config)
    result = report(run.folder, "--pipeline", *places)
    assert result.exit_code == 0, result.output + repr(result.exception)
    row = json.loads((run.folder / FILE).read_text())["pipeline"]["heading"]["nDCG@10"]
    assert row["before"]["mean"] == row["after"]["mean"] == 1.0, "keywords find a note's first words"
    assert "Search as a user gets it" in (run.folder / PAGE).read_text()


def test_a_reranker_sorts_the_passages_of_its_queries(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", role="reranker")
    result = report(run.folder)
    assert result.exit_code == 0, result.output + repr(result.exception)
    assert json.loads((run.folder / FILE).read_text())["test"]["all"]["R@10"]["before"]["mean"] == 1.0, "of two"
    assert isinstance(report(run.folder, "--general", tmp_path).exception, ConfigError)


def test_a_base_that_is_gone_or_another_one_by_now_is_no_base(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    shutil.copyfile(run.model / "model.safetensors", tmp_path / "run-base" / "model.safetensors")
    error = report(run.folder).exception
    assert isinstance(error, ConfigError) and "not the one" in error.message
    shutil.rmtree(tmp_path / "run-base")
    assert isinstance(report(run.folder).exception, ModelMissing)
