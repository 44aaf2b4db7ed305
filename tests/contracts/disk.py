"""What an index has on the disk, whether any table still refers to it or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lance.file import LanceFileReader


def written(folder: Path) -> str:
    """Everything that stands in the files below a folder: their bytes, and what is in them where it is compressed."""
    return "\n".join((*_raw(folder), *(str(columns) for columns in _decoded(folder, "*.lance"))))


def words_indexed(folder: Path) -> int:
    """How many words the keyword indices below a folder know: they lie in there as an automaton's states."""
    return sum(len(columns["_posting"]) for columns in _decoded(folder, "*_invert.lance"))


def _raw(folder: Path) -> Iterator[str]:
    return (file.read_bytes().decode("latin-1") for file in folder.rglob("*") if file.is_file())


def _decoded(folder: Path, pattern: str) -> Iterator[dict[str, list[object]]]:
    for file in folder.rglob(pattern):
        if file.is_file():
            yield LanceFileReader(str(file)).read_all().to_table().to_pydict()
