"""What a promoted model took its role from, and how it gets it back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vaultbridge.catalog.roles import Promotion, Roles


@pytest.fixture
def roles(tmp_path: Path) -> Roles:
    return Roles(tmp_path / "roles.json")


def test_promotions_are_undone_one_after_the_other(roles: Roles) -> None:
    roles.choose("embed", "bge-m3")
    roles.promote("embed", "first")
    roles.promote("rerank", "judge")
    roles.promote("embed", "second")
    assert roles.former("embed") == ["first", "bge-m3"]
    undone = [roles.rollback() for _ in range(4)]
    assert undone == [Promotion("embed", "first"), Promotion("rerank", ""), Promotion("embed", "bge-m3"), None]
    assert (roles.chosen("embed"), roles.chosen("rerank")) == ("bge-m3", "")


def test_there_is_nothing_to_go_back_to_from_a_choice_by_hand(roles: Roles) -> None:
    roles.promote("rerank", "judge")
    roles.promote("embed", "first")
    roles.choose("embed", "bge-m3")
    assert roles.former("embed") == []
    assert roles.rollback() == Promotion("rerank", "")
    assert roles.rollback() is None
    assert roles.chosen("embed") == "bge-m3"


def test_what_another_process_wrote_is_neither_missed_nor_lost(tmp_path: Path) -> None:
    server, command = Roles(tmp_path / "roles.json"), Roles(tmp_path / "roles.json")
    server.choose("chat", "gemma")
    command.promote("embed", "first")
    assert server.chosen("embed") == "first"
    server.choose("chat", "smol")
    assert command.former("embed") == [""]
    assert command.rollback() == Promotion("embed", "")


@pytest.mark.parametrize("told", [5, [5], [{"role": "sing", "before": "x"}], [{"role": "embed"}]])
def test_promotions_that_make_no_sense_are_none(tmp_path: Path, told: object) -> None:
    file = tmp_path / "roles.json"
    file.write_text(json.dumps({"embed": "x", "promotions": told}))
    assert Roles(file).rollback() is None
    assert Roles(file).chosen("embed") == "x"
