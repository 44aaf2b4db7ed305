"""What a model is taught and examined with: one folder, three splits, and the passages that are searched."""

from __future__ import annotations

import errno
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from vaultbridge.core.errors import ConfigError, DiskFull
from vaultbridge.core.notes import NotePath

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
SHEET = "dataset.json"
PASSAGES = "passages.jsonl"

# Of both kinds that Markdown has: ``## Bees``, and a line that is underlined.
_HEADING = r"(?: {0,3}\#{1,6}(?:[ \t][^\r\n]*)?|[^\s\-=][^\r\n]*\r?\n {0,3}(?:=+|-+)[ \t]*)(?:\r\n?|\n|\Z)"
_BLANK = r"(?:[ \t]*(?:\r\n?|\n))*"
_HEADINGS = re.compile(rf"\A{_BLANK}(?:{_HEADING}{_BLANK})+")


@dataclass(frozen=True, slots=True)
class Example:
    """A query, passages that answer it and passages that do not, as FlagEmbedding's training reads them.

    ``kind``: where it comes from (``link``, ``heading``, ...). ``source`` is the note that the query stands in,
    ``target`` the note of the positives; they are the same where a note's own words ask for it. ``bare``: the
    passages are shown as ``Passage.bare``, without title and headings, since these are what the query is made of.
    """

    query: str
    pos: tuple[str, ...]
    neg: tuple[str, ...]
    kind: str
    source: NotePath
    target: NotePath
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk of the vault: ``context`` is what the index embeds in front of its ``text``."""

    note: NotePath
    ordinal: int
    context: str
    text: str

    @property
    def embedded(self) -> str:
        """The text as the index embeds it."""
        return f"{self.context}\n{self.text}" if self.context else self.text

    @property
    def bare(self) -> str:
        """The text without its context, and without the headings that it begins with; empty if that is all of it."""
        return _HEADINGS.sub("", self.text)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A folder with ``train.jsonl``, ``validation.jsonl``, ``test.jsonl``, ``passages.jsonl`` and ``dataset.json``."""

    folder: Path

    def examples(self, split: Split) -> list[Example]:
        """One split. Raises ConfigError if the folder is no dataset."""
        return [
            Example(**{**row, "pos": tuple(row["pos"]), "neg": tuple(row["neg"])})
            for row in self._rows(self.file(split))
        ]

    def passages(self) -> list[Passage]:
        """Every chunk that may be read, of all splits: what a query is looked up among."""
        return [Passage(**row) for row in self._rows(self.folder / PASSAGES)]

    def sheet(self) -> dict[str, Any]:
        """What ``dataset.json`` says: how the data was made, and counts by split and kind."""
        try:
            return dict(json.loads((self.folder / SHEET).read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise _no_dataset(self.folder) from error

    def file(self, split: Split) -> Path:
        """The file of a split, for FlagEmbedding's ``--train_data``."""
        return self.folder / f"{split}.jsonl"

    def write(self, splits: dict[Split, list[Example]], passages: Iterable[Passage], sheet: dict[str, Any]) -> None:
        """Write all of it; the sheet comes last, with a ``digest`` over the rest, so that a folder with one is whole.

        Raises DiskFull.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / SHEET).unlink(missing_ok=True)
            for split in SPLITS:
                _write(self.file(split), map(asdict, splits[split]))
            _write(self.folder / PASSAGES, map(asdict, passages))
            text = json.dumps({**sheet, "digest": self.digest()}, indent=2, ensure_ascii=False)
            (self.folder / SHEET).write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(
                    f"No room is left in {self.folder}.", "Free some space, or name another --out."
                ) from error
            raise

    def digest(self) -> str:
        """The sha256 (hexadecimal) of what is taught and examined, as it lies there now."""
        files = [*map(self.file, SPLITS), self.folder / PASSAGES]
        return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()

    def _rows(self, file: Path) -> Iterator[dict[str, Any]]:
        try:
            lines = file.read_text(encoding="utf-8").split("\n")
        except OSError as error:
            raise _no_dataset(self.folder) from error
        return (json.loads(line) for line in lines if line)


def _write(file: Path, rows: Iterable[dict[str, Any]]) -> None:
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _no_dataset(folder: Path) -> ConfigError:
    return ConfigError(f"{folder} holds no training data.", "Make it: vaultbridge train data --vault DIR --out FOLDER")
