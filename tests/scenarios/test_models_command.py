"""``vaultbridge models`` as a user types it, against a stand-in for the hub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.catalog.standin import Hub, serving
from tests.catalog.test_found import weights
from tests.catalog.test_pull import FILE, REPO, gguf
from tests.scenarios.serving import Run, command


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with serving(Hub({REPO: {FILE: gguf(tmp_path, tokenizer__chat_template="{{ messages }}")}})) as hub:
        yield hub


@pytest.fixture
def there(hub: Hub, tmp_path: Path) -> dict[str, str]:
    return {
        "HF_HUB_OFFLINE": "0",
        "HF_ENDPOINT": hub.endpoint,
        "VAULTBRIDGE_MODELS__FOLDER": str(tmp_path / "models"),
        "HOME": str(tmp_path / "home"),
        "COLUMNS": "40",
    }


def listed(run: Run, there: dict[str, str]) -> dict[str, Any]:
    return {model["name"]: model for model in json.loads(run("models", "list", "--json", **there).stdout)}


def test_from_pull_to_remove(run: Run, there: dict[str, str], hub: Hub, tmp_path: Path) -> None:
    pulled = command(tmp_path, "models", "pull", f"hf:{REPO}", **there)  # its library reads the environment once
    assert (pulled.returncode, pulled.stdout) == (0, "tiny-Q4_0 is here.\n  Its licence: gemma.\n")
    model = listed(run, there)["tiny-Q4_0"]
    assert (model["present"], model["role"], model["size"]) == (True, "chat", model["size"])
    assert Path(model["path"]).read_bytes() == hub.repositories[REPO][FILE]
    assert "1 fetched" in run("models", "list", **there).stdout
    assert run("models", "remove", "tiny-Q4_0", **there).stdout == "tiny-Q4_0 is removed.\n"
    assert not (tmp_path / "models" / "tiny-Q4_0").exists()


def test_what_other_programs_have_is_listed_and_left_alone(run: Run, there: dict[str, str], tmp_path: Path) -> None:
    path = weights(tmp_path / "home/.lmstudio/models/a/b/own-gemma.gguf")
    model = listed(run, there)["own-gemma"]
    assert (model["present"], model["found"], model["path"]) == (False, "LM Studio", str(path))
    assert "found: LM Studio" in run("models", "list", **there).stdout
    refused = run("models", "remove", "own-gemma", **there)
    assert (refused.returncode, path.is_file()) == (2, True)
    assert "Delete it there" in refused.stderr


def test_rubbish_is_collected_and_strangers_only_if_asked(run: Run, there: dict[str, str], tmp_path: Path) -> None:
    models = tmp_path / "models"
    for place in (".half.part", "strange", "gemma-3-270m"):
        (models / place / "model").mkdir(parents=True)
    (models / "catalog.toml").touch()
    collected = run("models", "gc", **there)
    assert "Deleted .half.part" in collected.stdout
    assert collected.stdout.count("Left alone") == 2
    assert sorted(path.name for path in models.iterdir() if path.name[0] != ".") == [
        "catalog.toml", "gemma-3-270m", "strange",
    ]  # fmt: skip
    run("models", "gc", "--all", **there)
    assert [path.name for path in models.iterdir() if path.name[0] != "."] == ["catalog.toml"]


@pytest.mark.parametrize(
    ("wanted", "more", "message", "code"),
    [
        ("hf:nobody/nothing", {}, "There is no repository nobody/nothing", 2),
        ("hf:owner/tiny-GGUF", {"HF_HUB_OFFLINE": "1"}, "offline mode", 2),
        ("hf:owner/tiny-GGUF", {"HF_ENDPOINT": "http://127.0.0.1:9"}, "cannot be reached", 1),
        ("nothing", {}, "No model is called nothing", 2),
    ],
)
def test_an_error_is_two_lines(
    tmp_path: Path, there: dict[str, str], wanted: str, more: dict[str, str], message: str, code: int
) -> None:
    failed = command(tmp_path, "models", "pull", wanted, **there | more)
    assert (failed.returncode, failed.stdout) == (code, "")
    said = failed.stderr[failed.stderr.index("vaultbridge: ") :].splitlines()
    assert len(said) == 2, "the message and what to do, however narrow the terminal"
    assert message in said[0]
    assert said[1].startswith("  ")
    assert "Traceback" not in failed.stderr
