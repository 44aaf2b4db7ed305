"""What is in a vault's folder, and reading it exactly."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from vaultbridge.core.errors import NoteUnreadable, VaultNotFound
from vaultbridge.core.notes import NotePath
from vaultbridge.vault.files import Vault
from vaultbridge.vault.formats import MAX_PDF_BYTES, MAX_TEXT_BYTES
from vaultbridge.vault.ignore import IgnoreRules

posix = pytest.mark.skipif(sys.platform == "win32", reason="links and such names need POSIX")


def write(root: Path, path: str, content: bytes = b"text") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def walked(root: Path) -> list[str]:
    return [stat.path for stat in Vault(root).walk(IgnoreRules.load(root))]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "vault").mkdir()
    return tmp_path / "vault"


def test_a_vault_must_be_a_folder(tmp_path: Path) -> None:
    file = write(tmp_path, "file.md")
    for place in (tmp_path / "missing", file):
        with pytest.raises(VaultNotFound) as caught:
            Vault(place)
        assert caught.value.hint


def test_walk_is_sorted_by_the_whole_path_and_finds_notes_only(root: Path) -> None:
    # By code points "a-b.md" < "a.md" < "a/z.md" < "b.md", since "-" < "." < "/".
    notes = ["a-b.md", "a.md", "a.txt", "a/z.md", "b.Pdf", "b.canvas", "b.md", "É.md", "日本/語.MD"]
    others = ["pic.png", "a.markdown", "b.pdf.part", "canvas", ".obsidian/x.md", ".a.pdf"]
    for path in [*reversed(notes), *others]:
        write(root, path)
    (root / "folder.md").mkdir()
    assert walked(root) == notes


def test_walk_leaves_out_what_the_rules_exclude(root: Path) -> None:
    write(root, "secret/a.md")
    write(root, "b.md")
    write(root, ".vaultbridgeignore", b"secret/\n")
    assert walked(root) == ["b.md"]


def test_walk_stat_read_and_hash_agree(root: Path) -> None:
    write(root, "a/Note.md", "täxt".encode())
    vault = Vault(root)
    [seen] = vault.walk(IgnoreRules.load(root))
    content, state = vault.read(seen.path)
    assert content == "täxt".encode()
    assert state.stat == seen == vault.stat(seen.path)
    assert state == vault.hash(seen.path)
    assert state.size == 5
    assert state.sha256 == hashlib.sha256("täxt".encode()).hexdigest()


def test_a_vault_that_is_gone_is_not_an_empty_one(root: Path) -> None:
    vault, rules = Vault(root), IgnoreRules.load(root)
    root.rmdir()
    with pytest.raises(VaultNotFound):
        vault.walk(rules)


@posix
def test_links_are_never_followed(root: Path, tmp_path: Path) -> None:
    outside = write(tmp_path, "outside/secret.md")
    write(root, "real/note.md")
    (root / "file out.md").symlink_to(outside)
    (root / "folder out").symlink_to(outside.parent)
    (root / "loop").symlink_to(root)
    (root / "file in.md").symlink_to(root / "real" / "note.md")
    vault = Vault(root)
    assert walked(root) == ["real/note.md"]
    for path in ["file out.md", "folder out/secret.md", "loop/real/note.md", "file in.md", "../outside/secret.md"]:
        assert vault.stat(NotePath(path)) is None
        with pytest.raises(NoteUnreadable):
            vault.read(NotePath(path))
        with pytest.raises(NoteUnreadable):
            vault.hash(NotePath(path))
    assert vault.stat(NotePath(str(outside))) is None


@posix
def test_the_root_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    write(root, "a.md")
    (tmp_path / "link").symlink_to(root)
    vault = Vault(tmp_path / "link")
    assert vault.root == root.resolve()
    assert vault.note_path(tmp_path / "link" / "a.md") == vault.note_path(root / "a.md") == "a.md"
    assert walked(tmp_path / "link") == ["a.md"]


def test_stat_of_what_is_no_note_is_none(root: Path) -> None:
    write(root, "pic.png")
    write(root, "a.md")
    (root / "folder.md").mkdir()
    vault = Vault(root)
    for path in ["missing.md", "gone/missing.md", "pic.png", "folder.md", "a.md/b.md", "", "a\0.md", "."]:
        assert vault.stat(NotePath(path)) is None


@pytest.mark.parametrize(
    ("suffix", "limit"), [(".md", MAX_TEXT_BYTES), (".canvas", MAX_TEXT_BYTES), (".pdf", MAX_PDF_BYTES)]
)
def test_a_note_over_the_limit_of_its_kind_is_hashed_but_not_read(root: Path, suffix: str, limit: int) -> None:
    huge, large = NotePath(f"huge{suffix}"), NotePath(f"large{suffix}")
    write(root, huge, b"a" * (limit + 1))
    write(root, large, b"a" * limit)
    vault = Vault(root)
    with pytest.raises(NoteUnreadable) as caught:
        vault.read(huge)
    assert str(limit + 1) in caught.value.message
    assert str(limit) in caught.value.message
    assert vault.hash(huge).sha256 == hashlib.sha256(b"a" * (limit + 1)).hexdigest()
    assert len(vault.read(large)[0]) == limit


def test_a_note_that_vanishes_after_the_look_is_file_not_found(root: Path) -> None:
    file = write(root, "a.md")
    vault = Vault(root)
    [seen] = vault.walk(IgnoreRules.load(root))
    file.unlink()
    assert vault.stat(seen.path) is None
    with pytest.raises(FileNotFoundError):
        vault.read(seen.path)


def test_a_note_that_grows_while_it_is_read_differs_at_the_next_look(root: Path) -> None:
    file = write(root, "a.md", b"one")
    vault = Vault(root)
    _, state = vault.read(NotePath("a.md"))
    with file.open("ab") as more:
        more.write(b" two")
    assert vault.stat(NotePath("a.md")) != state.stat


@posix
@pytest.mark.parametrize(
    "name", ['a: "b" <c>?*|.md', "COM1.md", "trailing dot..md", " spaces .md", "a\\b.md", "tab\t.md"]
)
def test_names_that_windows_does_not_allow_are_names(root: Path, name: str) -> None:
    write(root, name)
    assert walked(root) == [name]
    assert Vault(root).read(NotePath(name))[0] == b"text"


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS takes both for one name")
def test_two_spellings_of_an_accent_are_two_files(root: Path) -> None:
    write(root, "caf\u00e9.md", b"composed")
    write(root, "cafe\u0301.md", b"decomposed")
    vault = Vault(root)
    assert walked(root) == ["cafe\u0301.md", "caf\u00e9.md"]
    assert vault.read(NotePath("cafe\u0301.md"))[0] == b"decomposed"


@pytest.mark.parametrize("path", ["missing.md", "gone/missing.md", "a.md/b.md"])
def test_a_note_that_is_gone_is_file_not_found(root: Path, path: str) -> None:
    write(root, "a.md")
    vault = Vault(root)
    with pytest.raises(FileNotFoundError):
        vault.read(NotePath(path))
    with pytest.raises(FileNotFoundError):
        vault.hash(NotePath(path))


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")
def test_a_note_without_permission_is_unreadable(root: Path) -> None:
    write(root, "a.md").chmod(0)
    with pytest.raises(NoteUnreadable, match="Permission"):
        Vault(root).read(NotePath("a.md"))


@posix
def test_a_pipe_does_not_hang_the_reader(root: Path) -> None:
    os.mkfifo(root / "pipe.md")
    assert walked(root) == []
    with pytest.raises(NoteUnreadable):
        Vault(root).read(NotePath("pipe.md"))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_not_unicode_is_passed_over(root: Path) -> None:
    (Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.md"))).write_bytes(b"text")
    write(root, "b.md")
    assert walked(root) == ["b.md"]


def test_note_path_names_places_in_the_vault_only(root: Path, tmp_path: Path) -> None:
    vault = Vault(root)
    assert vault.note_path(root / "gone" / "日本.md") == "gone/日本.md"
    assert vault.note_path(f"{root}/a/../b.md") == "b.md"
    assert vault.note_path(root) is None
    assert vault.note_path(f"{root}/") is None
    assert vault.note_path(tmp_path / "vault2" / "a.md") is None
    assert vault.note_path(root / ".." / "a.md") is None
    assert vault.note_path("a.md") is None
