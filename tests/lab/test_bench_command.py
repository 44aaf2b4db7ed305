"""``vaultbridge bench`` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lab.tiny import tiny_model
from tests.scenarios.serving import command
from vaultbridge.backends.llama_devices import devices
from vaultbridge.lab.bandwidth import thread_counts, usable_threads

ON_THE_CPU = {"VAULTBRIDGE_ENGINE__GPU_LAYERS": "0"}
"""Elsewhere no limit is known."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny"))


def test_help_names_every_axis(tmp_path: Path) -> None:
    result = command(tmp_path, "bench", "--help", COLUMNS="80")
    assert result.returncode == 0
    for word in ("quant", "batch", "depth", "threads", "device", "--plot", "--json"):
        assert word in result.stdout


def test_json_is_one_document_with_all_that_the_table_has(tmp_path: Path, model: Path) -> None:
    plot = tmp_path / "plot.png"
    flags = ("--model", model, "--depth", 64, "--json", "--plot", plot)
    result = command(tmp_path, "bench", *flags, **ON_THE_CPU)
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["model"]["tied_embedding"] is True
    assert document["machine"]["devices"][0] == "cpu"
    assert max(document["machine"]["read_bandwidth"].values()) > 0
    assert [point["way"] for point in document["points"]] == ["decode loop", "engine", "engine, drafts"]
    for point in document["points"]:
        assert point["reached"] > 0
        assert point["compute"] > 0
        assert point["percent"] == pytest.approx(100 * point["reached"] / point["limit"])
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("flags", "rows"), [((), 3), (("--sweep", "threads"), len(thread_counts(usable_threads())))])
def test_the_table_fits_a_narrow_terminal(tmp_path: Path, model: Path, flags: tuple[str, ...], rows: int) -> None:
    result = command(tmp_path, "bench", "--model", model, "--depth", 64, *flags, COLUMNS="80", **ON_THE_CPU)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.endswith(" %") for line in lines) == rows


def test_a_sweep_over_devices_says_which_there_are(tmp_path: Path, model: Path) -> None:
    result = command(tmp_path, "bench", "--model", model, "--depth", 64, "--sweep", "device")
    assert result.returncode == 0, result.stderr
    assert f"devices  {', '.join(devices())}\n" in result.stdout
    assert ("only the CPU" in result.stdout) == (devices() == ("cpu",))


def test_random_weights_in_a_shape_by_name(tmp_path: Path) -> None:
    result = command(tmp_path, "bench", "--shape", "gemma-2c")
    assert result.returncode == 2
    assert "gemma-2b" in result.stderr.splitlines()[1]


def test_what_cannot_be_done_is_said_before_anything_is_measured(tmp_path: Path, model: Path) -> None:
    for flags, said in (
        (("--model", model, "--plot", tmp_path / "plot.xyz"), ".png"),
        (("--model", tmp_path / "none.gguf"), "none.gguf"),
        (("--model", "none"), "--shape"),
    ):
        result = command(tmp_path, "bench", *flags)
        assert result.returncode == 2, result.stderr
        assert said in result.stderr
        assert result.stdout == ""
        assert "Traceback" not in result.stderr
