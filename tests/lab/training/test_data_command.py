"""``vaultbridge train data`` as it is called, over the fake embedder."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.lab.training.asking import asked_of
from tests.lab.training.invented_notes import invented, write
from vaultbridge.cli.app import app
from vaultbridge.core.errors import ConfigError, ModelMissing
from vaultbridge.lab.training.dataset import SPLITS, Dataset
from vaultbridge.lab.training.generated import question_in

PRIVATE = "zuzuzu"
"""No invented word holds it."""
SECRET = f"\n## {PRIVATE} heading of it\n\n{PRIVATE} " + " ".join(f"{PRIVATE}{at}" for at in range(20)) + "\n"
WAYS = ("property", "tag", "folder")


def hidden(path: str, text: str, way: str) -> tuple[str, str]:
    """A note that is kept out in one of the ways that there are."""
    front = {"property": "---\nvaultbridge: private\n---\n", "tag": "---\ntags: [secret]\n---\n"}
    return f"diary/{path}" if way == "folder" else path, front.get(way, "") + text + SECRET


def vault_of(texts: dict[str, str], folder: Path) -> Path:
    write(texts, folder)
    (folder / ".vaultbridgeignore").write_text("/diary/\ntag:secret\n")
    return folder


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return vault_of(invented(11), tmp_path_factory.mktemp("vault"))


def make(vault: Path, place: Path, *arguments: str) -> dict[str, Any]:
    asked = ["train", "data", "--vault", str(vault), "--out", str(place / "out"), "--data", str(place / "index")]
    result = CliRunner().invoke(app, [*asked, "--backend", "fakes", "--json", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@pytest.fixture(scope="module")
def made(vault: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, dict[str, Any]]:
    place = tmp_path_factory.mktemp("made")
    sheet = make(vault, place)
    return Dataset(place / "out"), sheet


def test_the_folder_says_how_it_was_made(vault: Path, made: tuple[Dataset, dict[str, Any]]) -> None:
    dataset, sheet = made
    assert sheet == dataset.sheet()
    assert sheet["vault"] == vault.name
    assert sheet["embedder"]["name"] == "fakes"
    assert sheet["digest"] == dataset.digest()
    for split in SPLITS:
        assert sum(sheet["counts"][split].values()) == len(dataset.examples(split))
        assert {example.target for example in dataset.examples(split)} <= set(sheet["notes"][split])


def test_flagembedding_reads_each_line(made: tuple[Dataset, dict[str, Any]]) -> None:
    """Its loader gives a meaning to columns of these names, and asks for lists."""
    for split in SPLITS:
        for line in made[0].file(split).read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            assert not row.keys() & {"type", "prompt", "batch_size", "train_group_size", "pos_scores", "neg_scores"}
            assert isinstance(row["query"], str)
            assert row["pos"]
            assert row["neg"]


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(WAYS), min_size=12, max_size=12), st.randoms(use_true_random=False))
def test_no_private_note_is_in_any_file(ways: list[str], chance: Random) -> None:
    texts = invented(12, notes=48)
    kept_out = [
        hidden(path, texts.pop(path), way) for path, way in zip(chance.sample(list(texts), 12), ways, strict=True)
    ]
    with TemporaryDirectory() as place:
        folder = vault_of({**texts, **dict(kept_out)}, Path(place, "vault"))
        make(folder, Path(place), "--negatives", "1")
        for file in Path(place, "out").iterdir():
            written = file.read_text(encoding="utf-8")
            assert PRIVATE not in written
            assert not any(path in written for path, _ in kept_out)


def test_the_same_vault_and_seed_give_the_same_files(
    vault: Path, made: tuple[Dataset, dict[str, Any]], tmp_path: Path
) -> None:
    assert make(vault, tmp_path)["digest"] == made[1]["digest"]


def test_a_table_for_people(vault: Path, made: tuple[Dataset, dict[str, Any]]) -> None:
    place = made[0].folder.parent
    asked = ["train", "data", "--vault", str(vault), "--out", str(place / "again"), "--data", str(place / "index")]
    result = CliRunner().invoke(app, [*asked, "--backend", "fakes", "--negatives", "2"], catch_exceptions=False)
    assert "heading" in result.stdout
    assert "between splits" in result.stdout
    assert all(len(example.neg) <= 2 for example in Dataset(place / "again").examples("test"))


def test_a_vault_of_five_notes_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    vault = write(dict(list(invented(1).items())[:5]), tmp_path / "vault")
    with pytest.raises(ConfigError, match="too small"):
        make(vault, tmp_path)
    assert not (tmp_path / "out").exists()


# --- with a chat model ------------------------------------------------------------------------------------------------

ASKED = 40


def asking(folder: Path) -> Path:
    """Settings with a chat model that asks."""
    file = folder / "asking.toml"
    file.write_text(
        '[models]\ngenerator = "asking"\ngenerator_backend = "tests.lab.training.asking:Asking"\n'
        'embedder = "shared words"\nembedder_backend = "tests.lab.training.asking:Embedding"\nreranker = "none"\n'
    )
    return file


@pytest.fixture(scope="module")
def questioned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, dict[str, Any], dict[str, Any]]:
    """What is made with questions of a chat model, and the sheets of it and of what is made without."""
    place = tmp_path_factory.mktemp("questioned")
    texts = invented(13)
    kept_out = [hidden(path, texts.pop(path), way) for path, way in zip(list(texts)[:6], WAYS * 2, strict=True)]
    vault = vault_of({**texts, **dict(kept_out)}, place / "vault")
    config = ("--backend", "auto", "--config", str(asking(place)), "--negatives", "2")
    without = make(vault, place, *config)
    sheet = make(vault, place, *config, "--generate", str(ASKED))
    return Dataset(place / "out"), sheet, without


def test_questions_of_the_chat_model_are_added_and_counted(
    questioned: tuple[Dataset, dict[str, Any], dict[str, Any]],
) -> None:
    dataset, sheet, without = questioned
    assert "generated" not in without
    figures = dict(sheet["generated"])
    assert (figures.pop("model"), figures.pop("asked")) == ("asking", ASKED)
    assert sum(figures.values()) == ASKED
    assert all(figures[what] for what in ("kept", "no question", "quoted", "not found")), figures
    assert sheet["notes"] == without["notes"], "the sides are those of the data without questions"
    counted = {split: dict(counts) for split, counts in sheet["counts"].items()}
    assert sum(counts.pop("generated") for counts in counted.values()) == figures["kept"]
    assert counted == without["counts"]
    for split in SPLITS:
        for example in (one for one in dataset.examples(split) if one.kind == "generated"):
            (right,) = example.pos
            assert example.query == question_in(asked_of(right))
            assert example.source == example.target
            assert not example.bare
            assert right not in example.neg


def test_the_chat_model_never_sees_a_private_note(questioned: tuple[Dataset, dict[str, Any], dict[str, Any]]) -> None:
    """It says what it sees."""
    for file in questioned[0].folder.iterdir():
        assert PRIVATE not in file.read_text(encoding="utf-8")


def test_without_a_chat_model_nothing_is_begun(vault: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="there is none"):
        make(vault, tmp_path, "--generate", "5", "--model", "none")
    assert not (tmp_path / "out").exists()


def test_a_table_for_people_tells_of_the_questions(vault: Path, tmp_path: Path) -> None:
    """The usual fake says what it was told, which is no question."""
    asked = ["train", "data", "--vault", str(vault), "--out", str(tmp_path / "out"), "--data", str(tmp_path / "index")]
    result = CliRunner().invoke(app, [*asked, "--backend", "fakes", "--generate", "2"], catch_exceptions=False)
    assert "Questions of fakes: 2 asked, 0 kept, 2 no question" in result.stdout
