"""Names that are nearly alike: notes that are renamed by their case, or by the way in which accents are written."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.index.worlds import World
from vaultbridge.core.notes import NotePath
from vaultbridge.vault.files import Vault

RENAMES = [("a.md", "A.md"), ("e\u0301.md", "\u00e9.md"), ("\u304b\u3099.md", "\u304c.md")]


def folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


@contextmanager
def folding() -> Iterator[None]:
    """A file system as that of a Mac: it finds a file under each name that means the same, and lists one."""
    lstat = os.lstat

    def found(place: str | Path) -> os.stat_result:
        try:
            return lstat(place)
        except FileNotFoundError:
            for other in Path(place).parent.iterdir():
                if folded(other.name) == folded(Path(place).name):
                    return lstat(other)
            raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vaultbridge.vault.files.os.lstat", found)
        yield


@pytest.mark.parametrize(("old", "new"), RENAMES)
@pytest.mark.parametrize("folds", [False, True])
async def test_a_note_that_is_renamed_to_nearly_the_same_is_there_once(
    tmp_path: Path, old: str, new: str, folds: bool
) -> None:
    world = World(tmp_path)
    world.write(old, "The text.")
    async with world.watching():
        await world.indexer.settled()
        moved = world.move(old, new)
        if folds:
            with folding():
                await world.follow(*moved)
        else:
            await world.follow(*moved)
    assert await world.notes() == [new]


@pytest.mark.parametrize(("old", "new"), RENAMES)
async def test_two_notes_of_nearly_one_name_are_two_where_the_file_system_tells_them_apart(
    tmp_path: Path, old: str, new: str
) -> None:
    world = World(tmp_path)
    async with world.watching():
        await world.indexer.settled()
        await world.follow(world.write(old, "One."), world.write(new, "Two."))
    assert [await world.text(old), await world.text(new)] == ["One.", "Two."]


def test_a_note_is_there_under_the_name_that_its_folder_gives_it(tmp_path: Path) -> None:
    (tmp_path / "Note.md").write_text("x")
    vault = Vault(tmp_path)
    assert vault.lists(NotePath("Note.md"))
    with folding():
        assert vault.stat(NotePath("note.md")) is not None
        assert vault.lists(NotePath("Note.md"))
        assert not vault.lists(NotePath("note.md"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
async def test_names_that_windows_does_not_have_are_names_here(tmp_path: Path) -> None:
    world = World(tmp_path)
    names = ["a:b?.md", "ends with a dot./n.md", 'say "hello" <now>|.md', "CON.md", "back\\slash.md", " spaces .md"]
    async with world.watching():
        await world.indexer.settled()
        await world.follow(*(world.write(name, f"Text of {number}.") for number, name in enumerate(names)))
    assert await world.notes() == sorted(names)


async def test_a_loop_of_links_ends_nowhere(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write("folder/a.md", "A.")
    (tmp_path / "folder" / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "loop.md").symlink_to(tmp_path / "loop.md")
    await world.sync()
    assert await world.notes() == ["folder/a.md"]


async def test_a_note_of_fifty_megabytes_is_one_reason_and_no_memory(tmp_path: Path) -> None:
    world = World(tmp_path)
    with (tmp_path / "huge.md").open("wb") as file:
        file.truncate(50_000_000)
    world.write("a.md", "A.")
    await world.sync()
    assert "too large" in await world.reason("huge.md")
    assert await world.text("a.md") == "A."
