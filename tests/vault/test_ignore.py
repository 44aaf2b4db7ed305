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
        (root / ".obsidian").mkdir(exist_ok=True)
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
    contents = ("a.md", '{"userIgnoreFilters": ["b.md"]}', '{"promptFolder": "c"}')
    for file, content in zip(RULE_FILES, contents, strict=True):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(content, encoding="utf-8")
    loaded = IgnoreRules.load(tmp_path)
    assert [path for path in ("a.md", "b.md", "c/c.md", "d.md") if not reason(loaded, path)] == ["d.md"]


# --- no echo ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "textgenerator/templates/x.md",
        "copilot/copilot-conversations/a chat.md",
        "copilot/copilot-custom-prompts/Translate.md",
        "copilot/memory/Recent Conversations.md",
        "copilot/system-prompts/Strict.md",
        "copilot-conversations/an older chat.md",
        "copilot-custom-prompts/Translate.md",
        "smart-chats/2024-05-06.md",
        "smart prompts/Ask.md",
    ],
)
def test_what_other_plugins_make_models_say_is_left_out_unless_it_is_asked_for(tmp_path: Path, path: str) -> None:
    folder = path.rsplit("/", 1)[0].removesuffix("/templates")
    assert reason(rules(tmp_path), path) == f"left out by default: {folder}/"
    assert reason(rules(tmp_path, f"!/{folder}/\n"), path) == ""


@pytest.mark.parametrize(
    "path", ["copilot/Flight school.md", "Smart-chats.md", "notes/smart-chats/x.md", "Prompts/x.md"]
)
def test_names_that_are_only_like_theirs_are_notes(tmp_path: Path, path: str) -> None:
    assert reason(rules(tmp_path), path) == ""


def plugin(root: Path, data: str | None) -> IgnoreRules:
    folder = root / ".obsidian" / "plugins" / "vaultbridge"
    folder.mkdir(parents=True)
    if data is not None:
        (folder / "data.json").write_text(data, encoding="utf-8")
    return IgnoreRules.load(root)


@pytest.mark.parametrize(
    ("data", "folder"),
    [
        (None, "Prompts"),
        ("{}", "Prompts"),
        ('{"promptFolder": "My [own] *prompts*/"}', "My [own] *prompts*"),
        ('{"promptFolder": "/a/b"}', "a/b"),
        ('{"promptFolder": 7}', "Prompts"),
    ],
)
def test_our_own_plugins_prompts_are_left_out_where_it_keeps_them(
    tmp_path: Path, data: str | None, folder: str
) -> None:
    loaded = plugin(tmp_path, data)
    assert reason(loaded, f"{folder}/Summarize.md") == f"prompts of the Obsidian plugin: {folder}/"
    assert reason(loaded, "My o *prompts*/x.md") == reason(loaded, "Chats/x.md") == ""
    assert loaded.problems == ()


def test_prompts_that_lie_among_the_notes_exclude_no_note(tmp_path: Path) -> None:
    assert reason(plugin(tmp_path, '{"promptFolder": "/"}'), "Note.md") == ""


@pytest.mark.parametrize("broken", ["{", "[]", "null"])
def test_plugin_settings_that_cannot_be_read_are_a_problem_that_is_told(tmp_path: Path, broken: str) -> None:
    loaded = plugin(tmp_path, broken)
    assert ".obsidian/plugins/vaultbridge/data.json" in loaded.problems[0]
    assert reason(loaded, "Prompts/x.md")


# --- tags -------------------------------------------------------------------------------------------------------------


def test_excluded_tags_stand_in_the_own_file(tmp_path: Path) -> None:
    content = rules(tmp_path, "tag:Private\r\ntag:#家/日记\n# tag:work\n").content
    assert content.tagged(["private"]) == content.tagged(["x", "PRIVATE/health"]) == ".vaultbridgeignore: tag:Private"
    assert content.tagged(["家/日记"]) == ".vaultbridgeignore: tag:#家/日记"
    assert content.tagged(["privateer", "work", "家", ""]) == ""


def test_a_tag_is_brought_back_by_a_later_line(tmp_path: Path) -> None:
    assert (
        rules(tmp_path, "").content.tagged(["copilot-conversation"]) == "left out by default: tag:copilot-conversation"
    )
    content = rules(tmp_path, "tag:a\n!tag:A\n!tag:copilot-conversation\ntag:b\n").content
    assert content.tagged(["a", "copilot-conversation"]) == ""
    assert content.tagged(["b"])


def test_lines_for_tags_are_no_patterns_and_the_others_keep_their_reasons(tmp_path: Path) -> None:
    loaded = rules(tmp_path, "\ntag:a\n\nx/\ntag:b\ny/\n!tag:c\n")
    assert reason(loaded, "x/1.md") == ".vaultbridgeignore: x/"
    assert reason(loaded, "y/1.md") == ".vaultbridgeignore: y/"
    assert reason(loaded, "tag:a/1.md") == ""
