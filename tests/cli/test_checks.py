"""The doctor's checks: what they find, and what they tell to do about it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from vaultbridge.cli.checks import (
    Check,
    check_bandwidth,
    check_clock,
    check_disk,
    check_llama,
    check_models,
    check_port,
    check_python,
    check_threads,
    check_vault,
    check_watches,
    guarded,
)
from vaultbridge.core.errors import ConfigError
from vaultbridge.core.machine import Device, LlamaBuild
from vaultbridge.settings import Settings, load_settings

GPU = Device("CUDA0", "NVIDIA RTX 4070", "gpu", 12 << 30, 11 << 30)


def build(*features: str, gpu: Device | None = None) -> LlamaBuild:
    return LlamaBuild("0.3.36", features, (gpu,) if gpu else (), 4, frozenset())


def settings(tmp_path: Path, **flags: object) -> Settings:
    return load_settings(None, {"data": tmp_path / "data", "models.folder": tmp_path / "models", **flags})


def test_this_python_will_do() -> None:
    assert check_python().ok


@pytest.mark.parametrize(
    ("found", "machine", "nvidia", "advice"),
    [
        (build("AVX2"), "x86_64", False, ""),
        (build("SSE3"), "x86_64", False, "GGML_NATIVE"),
        (build("AVX2"), "x86_64", True, "GGML_CUDA"),
        (build("AVX2", "CUDA", gpu=GPU), "x86_64", True, ""),
        (build("NEON"), "aarch64", False, ""),
    ],
)
def test_a_build_that_leaves_something_unused_is_told_of(
    found: LlamaBuild, machine: str, nvidia: bool, advice: str
) -> None:
    check = check_llama(found, machine, nvidia)
    assert check.ok is not bool(advice)
    assert advice in check.remedy
    assert "0.3.36" in check.said


def test_more_threads_than_processors_are_too_many() -> None:
    assert check_threads(build(), 0, 4).ok
    assert check_threads(build(), 4, 4).ok
    assert "engine.threads to 4" in check_threads(build(), 9, 8).remedy


def test_slow_memory_is_told_of() -> None:
    assert check_bandwidth(50e9).ok
    assert not check_bandwidth(2e9).ok


def test_a_folder_that_is_not_there_yet_is_looked_for_above(tmp_path: Path) -> None:
    check = check_disk({"the index": tmp_path / "not" / "yet"})
    assert "GB free for the index" in check.said


def test_a_vault_without_notes_is_the_wrong_folder(tmp_path: Path) -> None:
    (tmp_path / "vault").mkdir()
    here = settings(tmp_path, vault=tmp_path / "vault")
    assert not check_vault(here).ok
    (tmp_path / "vault" / "a.md").write_text("# A")
    assert check_vault(here).ok
    assert "1 notes" in check_vault(here).said


def test_a_vault_that_is_not_there_is_a_finding_and_no_failure(tmp_path: Path) -> None:
    check = guarded("vault", lambda: check_vault(settings(tmp_path, vault=tmp_path / "none")))
    assert "There is no folder" in check.said
    assert check.remedy


def test_an_error_without_a_hint_is_not_well_either() -> None:
    def fails() -> Check:
        raise ConfigError("It is broken.")

    assert not guarded("thing", fails).ok


def test_a_port_that_is_taken_names_another(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        check = guarded("port", lambda: check_port(settings(tmp_path, **{"server.port": port}), None))
    assert f"Port {port} is taken" in check.said
    assert "--port" in check.remedy


def test_without_any_model_both_are_to_be_fetched(tmp_path: Path) -> None:
    chat, embedder = check_models(settings(tmp_path, **{"models.generator": "none"}), lambda: False)
    assert "models pull" in chat.remedy
    assert not embedder.ok


def test_too_few_watches_for_the_folders(tmp_path: Path) -> None:
    vault, limit = tmp_path / "vault", tmp_path / "limit"
    for number in range(9):
        (vault / str(number)).mkdir(parents=True)
    limit.write_text("12\n")
    assert "sysctl" in check_watches(vault, limit).remedy, "10 of 12"
    limit.write_text("100\n")
    assert check_watches(vault, limit).ok
    assert check_watches(vault, tmp_path / "none").ok


def test_a_clock_before_its_time_or_behind_the_notes() -> None:
    now = 1_800_000_000.0
    assert check_clock(now - 60, now).ok
    assert not check_clock(0, 0.0).ok
    assert not check_clock(now + 86_400, now).ok
