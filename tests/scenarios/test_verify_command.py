"""``vaultbridge index --verify`` and ``--dump``: what they print, and with which exit code."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from lancedb.expr import col

from tests.scenarios.serving import Run, Served
from tests.server.building import write_vault
from vaultbridge.backends.lance import LanceStore

FAKES = ("--backend", "fakes")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_vault(tmp_path / "My Vault")
    return tmp_path


def place(home: Path) -> tuple[str, ...]:
    return "--vault", str(home / "My Vault"), "--data", str(home / "data")


async def damage(home: Path) -> None:
    (index,) = (home / "data").rglob("chunks.lance")
    store = await LanceStore.open(str(index.parent))
    await store._chunks.delete(col("note") == "Garden/Bees.md")
    await store._chunks.update({"text": "Something else."}, where="note = '厨房/红烧肉.md'")
    await store.close()


def test_an_index_is_compared_and_repaired(home: Path, run: Run) -> None:
    well = run("index", *place(home), *FAKES, "--verify")
    assert well.returncode == 0, well.stderr
    assert "equals the vault" in well.stdout
    asyncio.run(damage(home))
    repaired = run("index", *place(home), *FAKES, "--verify", "--json")
    assert repaired.returncode == 0, repaired.stderr
    view = json.loads(repaired.stdout)
    assert view["equal"]
    assert "厨房/红烧肉.md" in {difference["note"] for difference in view["found"]}
    assert view["left"] == []
    again = json.loads(run("index", *place(home), *FAKES, "--verify", "--json").stdout)
    assert again["found"] == []


def test_two_indexes_of_one_vault_have_equal_dumps(home: Path, run: Run) -> None:
    one, other = home / "one.jsonl", home / "other.jsonl"
    first = run("index", *place(home), *FAKES, "--dump", one)
    assert first.returncode == 0, first.stderr
    second = run("index", "--vault", home / "My Vault", "--data", home / "elsewhere", *FAKES, "--dump", other)
    assert second.returncode == 0, second.stderr
    assert one.read_text("utf-8") == other.read_text("utf-8")
    rows = [json.loads(line) for line in one.read_text("utf-8").splitlines()]
    assert {row["note"] for row in rows} >= {"Garden/Tomatoes.md", "厨房/红烧肉.md"}
    assert all(row["vector"] for row in rows)
    printed = run("index", *place(home), *FAKES, "--dump", "-")
    assert printed.stdout == one.read_text("utf-8")


def test_a_running_server_verifies_and_is_not_dumped(served: Served, run: Run) -> None:
    verified = run("index", *served.place, "--verify", "--json")
    assert verified.returncode == 0, verified.stderr
    assert json.loads(verified.stdout)["equal"]
    dumped = run("index", *served.place, "--dump", "-")
    assert dumped.returncode == 2
    assert "Stop it before --dump" in dumped.stderr


@pytest.mark.parametrize("flags", [("--watch", "--verify"), ("--watch", "--dump", "-"), ("--json", "--dump", "-")])
def test_what_does_not_go_together_is_refused(home: Path, run: Run, flags: tuple[str, ...]) -> None:
    refused = run("index", *place(home), *FAKES, *flags)
    assert refused.returncode == 2
    assert refused.stdout == ""
