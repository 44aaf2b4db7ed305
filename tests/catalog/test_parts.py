"""Models in several files: found by their first one, counted together, and refused with the missing one's name."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from tests.lab.tiny import split, tiny_adapter, tiny_model
from vaultbridge.catalog.adapter import belongs
from vaultbridge.catalog.folder import ModelFolder
from vaultbridge.catalog.footprint import Footprint, Use
from vaultbridge.catalog.found import Elsewhere
from vaultbridge.catalog.gguf_header import GgufHeader
from vaultbridge.catalog.parts import parts_of, size_of
from vaultbridge.catalog.supply import Supply
from vaultbridge.core.errors import ModelInvalid


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return tiny_model(tmp_path)


@pytest.fixture
def parts(whole: Path, tmp_path: Path) -> list[Path]:
    folder = tmp_path / "parts"
    folder.mkdir()
    return split(whole, folder, 3)


@pytest.fixture
def supply(tmp_path: Path) -> Supply:
    return Supply(folder=ModelFolder(tmp_path / "models"), elsewhere=Elsewhere(tmp_path, {}))


def test_the_first_part_names_all(whole: Path, parts: list[Path]) -> None:
    assert parts_of(parts[0]) == parts
    assert size_of(parts[0]) == sum(part.stat().st_size for part in parts)
    assert parts_of(whole) == [whole]
    assert size_of(whole) == whole.stat().st_size


def test_a_model_in_parts_has_the_header_of_the_whole(whole: Path, parts: list[Path], tmp_path: Path) -> None:
    one, several = GgufHeader.read(whole), GgufHeader.read(parts[0])
    assert sorted(tensor.name for tensor in several.tensors) == sorted(tensor.name for tensor in one.tensors)
    assert Footprint.of(several, Use(512, 1)) == Footprint.of(one, Use(512, 1))
    assert several.get("block_count") == one.get("block_count")
    assert belongs(tiny_adapter(tmp_path / "diary.gguf"), parts[0]), "whichever part has the matrix"


def test_a_missing_part_is_named(supply: Supply, parts: list[Path]) -> None:
    parts[1].unlink()
    assert size_of(parts[0]) == parts[0].stat().st_size + parts[2].stat().st_size
    with pytest.raises(ModelInvalid, match=parts[1].name):
        GgufHeader.read(parts[0])
    with pytest.raises(ModelInvalid, match=parts[1].name):
        supply.resolve(str(parts[0]), "chat")


def test_another_part_than_the_first_is_refused(parts: list[Path]) -> None:
    with pytest.raises(ModelInvalid, match="part 2 of 3"):
        GgufHeader.read(parts[1])


def test_a_first_part_that_was_renamed_is_refused(parts: list[Path], tmp_path: Path) -> None:
    renamed = shutil.copy(parts[0], tmp_path / "mine.gguf")
    with pytest.raises(ModelInvalid, match="00001-of-00003"):
        GgufHeader.read(Path(renamed))


def test_parts_of_two_models_are_refused(parts: list[Path], tmp_path: Path) -> None:
    shutil.copy(split(tiny_model(tmp_path), tmp_path, 1)[0], parts[2])
    with pytest.raises(ModelInvalid, match="tensors"):
        GgufHeader.read(parts[0])


def test_one_that_another_program_has_is_found_once_and_whole(tmp_path: Path, whole: Path) -> None:
    folder = tmp_path / "home/.lmstudio/models/somebody/tiny"
    folder.mkdir(parents=True)
    parts = split(whole, folder, 2)
    (found,) = Elsewhere(tmp_path / "home", {}).models
    assert (found.name, found.path, found.size) == (whole.stem, parts[0], size_of(parts[0]))


def test_a_part_that_does_not_say_what_it_is_is_refused(parts: list[Path], tmp_path: Path) -> None:
    count, one = b"split.count" + struct.pack("<IH", 2, 3), b"split.count" + struct.pack("<If", 6, 1.0)
    odd = tmp_path / "odd.gguf"
    odd.write_bytes(parts[0].read_bytes().replace(count, one))
    with pytest.raises(ModelInvalid, match="of how many parts"):
        GgufHeader.read(odd)
