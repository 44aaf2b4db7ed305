"""Whether a note is in the index, and if not, exactly why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.index.worlds import World
from vaultbridge.core.notes import NotePath
from vaultbridge.index.indexer import RETRY_SECONDS
from vaultbridge.index.note_status import NoteStatus
from vaultbridge.index.reader import MOST_ATTEMPTS
from vaultbridge.vault.formats import MAX_TEXT_BYTES


@pytest.fixture
def world(tmp_path: Path) -> World:
    (tmp_path / "vault").mkdir()
    return World(tmp_path / "vault")


async def status(world: World, path: str) -> NoteStatus:
    return await world.indexer.status(NotePath(path))


async def told(world: World, path: str) -> tuple[str, str]:
    found = await status(world, path)
    return found.state, found.reason


async def test_an_indexed_note(world: World) -> None:
    world.write("a.md", "# One\n\nText.\n\n# Two\n\nMore text.\n")
    world.write("empty.md", "")
    await world.sync()
    assert await status(world, "a.md") == NoteStatus("indexed", "", 2, world.clock.now())
    empty = await status(world, "empty.md")
    assert (empty.state, empty.indexed, empty.chunks) == ("indexed", True, 0)


async def test_before_anything_was_read(world: World) -> None:
    world.write("a.md", "Text.")
    assert await told(world, "a.md") == ("waiting", "not read yet")
    assert not (await status(world, "a.md")).indexed


async def test_a_note_that_has_changed_since_is_found_as_it_was(world: World) -> None:
    world.write("a.md", "Text.")
    await world.sync()
    world.write("a.md", "Another.")
    assert await told(world, "a.md") == ("waiting", "changed, and not read again yet")
    assert (await status(world, "a.md")).indexed
    (world.root / "a.md").unlink()
    assert await told(world, "a.md") == ("missing", "not in the vault")


async def test_what_can_be_no_note(world: World) -> None:
    world.write("picture.png", b"\x89PNG")
    world.write("real/a.md", "Text.")
    (world.root / "link.md").symlink_to(world.root / "real/a.md")
    (world.root / "linked").symlink_to(world.root / "real")
    (world.root / "folder.md").mkdir()
    await world.sync()
    assert await told(world, "picture.png") == ("excluded", "not a note: files that end in '.png' are not indexed")
    for path in ("link.md", "linked/a.md", "folder.md"):
        state, reason = await told(world, path)
        assert state == "unreadable"
        assert "link" in reason
        assert not (await status(world, path)).indexed


@pytest.mark.parametrize("path", ["", ".", "..", "../vault/a.md", "a.md/../../secret.md", "/etc/passwd", "no\0name.md"])
async def test_nothing_outside_the_vault_is_told_of(world: World, path: str) -> None:
    (world.root.parent / "secret.md").write_text("Not of this vault.")
    world.write("a.md", "Text.")
    await world.sync()
    found = await status(world, path)
    assert found.state in ("excluded", "missing", "unreadable")
    assert not found.indexed


async def test_a_note_that_cannot_be_read_says_when_it_is_tried_again(world: World) -> None:
    world.write("a.md", b"caf\xe9")
    world.write("huge.md", b"x" * (MAX_TEXT_BYTES + 1))
    await world.sync()
    found = await status(world, "a.md")
    assert (found.state, found.attempts, found.retry_at) == ("unreadable", 1, world.clock.now() + RETRY_SECONDS)
    assert "UTF-8" in found.reason
    assert "too large" in (await status(world, "huge.md")).reason


async def test_the_last_good_chunks_are_served_and_it_is_said_why(world: World) -> None:
    world.write("a.md", "Good.")
    await world.sync()
    world.write("a.md", b"caf\xe9")
    await world.sync()
    found = await status(world, "a.md")
    assert (found.state, found.indexed, found.chunks) == ("indexed", True, 1)
    assert "UTF-8" in found.reason
    assert found.retry_at is not None


async def test_broken_front_matter_is_named_and_not_tried_again(world: World) -> None:
    world.write("a.md", "---\nx: [\n---\nText.")
    await world.sync()
    found = await status(world, "a.md")
    assert (found.state, found.attempts, found.retry_at) == ("indexed", MOST_ATTEMPTS, None)
    assert "front matter" in found.reason


async def test_a_note_in_a_folder_that_nobody_may_enter(world: World) -> None:
    world.write("shut/a.md", "Text.")
    await world.sync()
    os.chmod(world.root / "shut", 0)  # noqa: PTH101
    try:
        assert (await status(world, "shut/a.md")).state in ("indexed", "missing")
    finally:
        os.chmod(world.root / "shut", 0o755)  # noqa: PTH101
