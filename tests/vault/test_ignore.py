"""Which notes stay out of the index, and what is said about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vaultbridge.core.errors import ConfigError
from vaultbridge.core.notes import NotePath
from vaultbridge.vault.ignore import RULE_FILES, IgnoreRules


def rules(root: Path, own: str | bytes | None = None, obsidian: object = None) -> IgnoreRules:
    if own is not None:
        (root / ".vaultbridgeignore").write_bytes(own.encode() if isinstance(own, str) else own)
    if obsidian is not None:
        (root / ".obsidian").mkdir()
        content = obsidian if isinstance(obsidian, str) else json.dumps(obsidian)
        (root / ".obsidian" / "app.json").write_text(content, encoding="utf-8")
    return IgnoreRules.load(root)


def reason(loaded: IgnoreRules, path: str) -> str:
    return loaded.reason(NotePath(path))


def test_a_vault_without_rules_indexes_its_notes(tmp_path: Path) -> None:
    loaded = rules(tmp_path)
    assert reason(loaded, "Note.md") == ""
    assert reason(loaded, "folder/日本語.md") == ""
    assert loaded.problems == ()


@pytest.mark.parametrize("path", [".hidden.md", ".obsidian/plugins/x/README.md", ".trash/Old.md", "a/.git/b.md"])
def test_hidden_files_and_what_is_in_hidden_folders(tmp_path: Path, path: str) -> None:
    assert reason(rules(tmp_path), path) == "hidden"


def test_obsidians_excluded_files(tmp_path: Path) -> None:
    loaded = rules(tmp_path, obsidian={"userIgnoreFilters": ["Archive/", "/^daily/\\d{4}/", "Exact.md"]})
    assert reason(loaded, "Archive/Old.md") == "excluded in Obsidian: Archive/"
    assert reason(loaded, "daily/2024-05.md") == "excluded in Obsidian: /^daily/\\d{4}/"
    assert reason(loaded, "Exact.md") == "excluded in Obsidian: Exact.md"
    assert reason(loaded, "My Archive/Old.md") == ""
    assert reason(loaded, "daily/plan.md") == ""


def test_own_file_is_gitignore(tmp_path: Path) -> None:
    loaded = rules(tmp_path, "# private things\n\n   \ndrafts/*\n!drafts/public.md\n*.private.md\n/top.md\n")
    assert reason(loaded, "drafts/x.md") == ".vaultbridgeignore: drafts/*"
    assert reason(loaded, "drafts/public.md") == ""
    assert reason(loaded, "deep/in/a.private.md") == ".vaultbridgeignore: *.private.md"
    assert reason(loaded, "top.md") == ".vaultbridgeignore: /top.md"
    assert reason(loaded, "sub/top.md") == ""


def test_own_file_may_have_a_byte_order_mark_and_crlf(tmp_path: Path) -> None:
    loaded = rules(tmp_path, b"\xef\xbb\xbfsecret/\r\nother/\r\n")
    assert reason(loaded, "secret/a.md") == ".vaultbridgeignore: secret/"
    assert reason(loaded, "other/a.md") == ".vaultbridgeignore: other/"


def test_text_generators_templates_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    assert "textgenerator/" in reason(rules(tmp_path), "textgenerator/templates/x.md")
    assert reason(rules(tmp_path), "notes/textgenerator/x.md") == ""
    assert reason(rules(tmp_path, "!textgenerator/\n"), "textgenerator/templates/x.md") == ""


@pytest.mark.parametrize("broken", ["{", "[]", "null", '{"userIgnoreFilters": "Archive"}'])
def test_broken_obsidian_settings_are_a_problem_that_is_told(tmp_path: Path, broken: str) -> None:
    loaded = rules(tmp_path, obsidian=broken)
    assert len(loaded.problems) == 1
    assert ".obsidian/app.json" in loaded.problems[0]
    assert reason(loaded, "Note.md") == ""


def test_one_filter_that_cannot_be_understood_leaves_the_others(tmp_path: Path) -> None:
    loaded = rules(tmp_path, obsidian={"userIgnoreFilters": ["/(/", 7, "", "Archive/"]})
    assert len(loaded.problems) == 3
    assert reason(loaded, "Archive/a.md")
    assert reason(loaded, "Note.md") == ""


@pytest.mark.parametrize("broken", [b"secret/\n\xff\xfe\n", b"secret/\n!\n"])
def test_an_own_file_that_cannot_be_read_stops_everything(tmp_path: Path, broken: bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        rules(tmp_path, broken)
    assert ".vaultbridgeignore" in caught.value.message
    assert caught.value.hint


def test_rule_files_are_where_the_rules_come_from(tmp_path: Path) -> None:
    for file in RULE_FILES:
        (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / RULE_FILES[0]).write_text("a.md", encoding="utf-8")
    (tmp_path / RULE_FILES[1]).write_text('{"userIgnoreFilters": ["b.md"]}', encoding="utf-8")
    loaded = IgnoreRules.load(tmp_path)
    assert [path for path in ("a.md", "b.md", "c.md") if not reason(loaded, path)] == ["c.md"]
