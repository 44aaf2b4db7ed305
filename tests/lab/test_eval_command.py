"""``vaultbridge eval`` as it is called, over the fake models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vaultbridge.cli.app import app
from vaultbridge.core.errors import ConfigError

WORDS = "amber birch cedar delta ember fjord".split()


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    folder = tmp_path / "words"
    (folder / "qrels").mkdir(parents=True)
    documents = [{"_id": word, "title": word, "text": f"All about {word}."} for word in WORDS]
    queries = [{"_id": f"q{word}", "text": f"What is {word}?"} for word in WORDS]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, documents)))
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    judged = [f"q{word}\t{word}\t1" for word in WORDS]
    (folder / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]) + "\n")
    return folder


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["eval", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_collection_as_a_document(collection: Path, tmp_path: Path) -> None:
    plot = tmp_path / "plot.png"
    out = run(collection, "--backend", "fakes", "--without", "feedback", "--json", "--plot", plot, "--limit", "4")
    document = json.loads(out)
    assert (document["collection"], document["queries"]) == ("words", 4)
    assert list(document["rows"]) == ["keyword", "dense", "RRF", "fused", "without feedback"]
    assert document["rows"]["keyword"]["nDCG@10"]["mean"] == 1.0
    assert set(document["fused_over"]) == set(document["rows"]) - {"fused"}
    assert plot.stat().st_size > 1000


def test_a_collection_as_a_table_with_fitted_weights(collection: Path) -> None:
    out = run(collection, "--backend", "fakes", "--fit")
    assert "nDCG@10" in out
    assert "fused over keyword" in out
    assert "the weights stay as they are" in out or "fitted" in out


def test_a_vault_is_tested_by_its_links(tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    vault.mkdir()
    (vault / "Bees.md").write_text("In winter they sleep in the warm hive and drink nectar.")
    (vault / "Diary.md").write_text("The warm hive in winter smells of nectar, as [[Bees]] know.")
    (vault / "Far.md").write_text("Quarterly revenue grew.")
    arguments = ("--links", "--vault", vault, "--data", tmp_path / "data", "--backend", "fakes", "--follow", "0.2")
    document = json.loads(run(*arguments, "--json"))
    assert document["queries"] == 1
    assert document["rows"]["fused"]["RR@10"]["mean"] == 1.0, "the note with the link is left out"


def test_what_shall_be_asked_must_be_said(collection: Path) -> None:
    for arguments in ([], [str(collection), "--links"]):
        with pytest.raises(ConfigError):
            CliRunner().invoke(app, ["eval", *arguments], catch_exceptions=False)


def write_answers(collection: Path) -> None:
    rows = [{"_id": f"q{word}", "text": f"What is {word}?", "metadata": {"answers": [word]}} for word in WORDS]
    (collection / "queries.jsonl").write_text("\n".join(map(json.dumps, rows)))


def test_answers_are_examined_in_several_formats(collection: Path) -> None:
    write_answers(collection)
    arguments = (collection, "--answers", "--backend", "fakes", "--half", "2", "--limit", "2")
    document = json.loads(run(*arguments, "--format", "", "--format", "notes=1,best_last=yes", "--json"))
    assert (document["questions"], document["k"]) == (2, 8)
    own, changed = document["rows"]
    assert (changed["format"]["notes"], changed["format"]["best_last"]) == (1, True)
    assert own["format"]["notes"] > 1
    assert own["figures"]["contained"]["mean"] == 1.0, "the fake model repeats the question"
    assert [answer["id"] for answer in own["answers"]] == ["qdelta", "qember"]
    table = run(*arguments)
    assert "contained" in table
    assert "notes=" in table


@pytest.mark.parametrize("form", ["size=2", "notes=many", "frame=round", "notes"])
def test_a_format_that_does_not_exist_is_refused(collection: Path, form: str) -> None:
    write_answers(collection)
    with pytest.raises(ConfigError, match=form):
        run(collection, "--answers", "--backend", "fakes", "--format", form)


def test_answers_that_nobody_knows_are_not_examined(collection: Path) -> None:
    with pytest.raises(ConfigError, match="what the answers are"):
        run(collection, "--answers", "--backend", "fakes")
