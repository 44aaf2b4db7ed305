"""Revisions of a folder of notes, as people, git and sync tools make them; the same seed makes the same ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from random import Random

WORDS = (
    "compost kettle ledger orchard violin harbour lantern thistle marble granite ferry saffron 番茄 浇水 发票 旅行 "
    "Käse Straße naïve crème übung snake_case C++ v1.2.3 #idea/new [[Hub]] **bold** `code`"
).split()
FOLDERS = ("", "Garden", "Work/Projects", "Work", "Journal/2024", "阅读")


class History:
    """Changes the folder ``root``. Every revision gives the paths that the system would report of it."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self._random = Random(seed)
        self._ticks = 1_700_000_000
        self._count = 0
        for _ in range(25):
            self.add()

    def revise(self) -> list[str]:
        """One revision of any kind."""
        kinds: list[tuple[Callable[[], list[str]], int]] = [
            (self.edit, 30),
            (self.add, 8),
            (self.delete, 6),
            (self.rename, 8),
            (self.rename_case, 4),
            (self.move, 5),
            (self.move_folder, 4),
            (self.touch, 4),
            (self.reorder, 6),
            (self.properties, 6),
            (self.copy, 4),
            (self.swap, 3),
            (self.line_ends, 3),
            (self.exclude, 4),
            (self.replace_everywhere, 2),
        ]
        (revision,) = self._random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])
        return revision()

    def edit(self) -> list[str]:
        """A paragraph of a note is written again, inserted or taken out."""
        note = self._any()
        parts = note.read_text("utf-8").split("\n\n")
        at = self._random.randrange(len(parts))
        parts[at : at + self._random.randrange(2)] = [self._paragraph()] * self._random.randrange(1, 3)
        return self._write(note, "\n\n".join(parts))

    def add(self) -> list[str]:
        """A new note."""
        self._count += 1
        name = f"{self._random.choice(WORDS[:15]).title()} {self._count}.md"
        return self._write(self.root / self._random.choice(FOLDERS) / name, self._text())

    def delete(self) -> list[str]:
        """A note goes."""
        note = self._any()
        note.unlink()
        return [self._path(note)]

    def rename(self) -> list[str]:
        """A note gets another name in its folder."""
        self._count += 1
        note = self._any()
        return self._move(note, note.with_name(f"Renamed {self._count}.md"))

    def rename_case(self) -> list[str]:
        """A note's name changes its case only."""
        note = self._any()
        return self._move(note, note.with_name(note.stem.swapcase() + ".md"))

    def move(self) -> list[str]:
        """A note goes into another folder."""
        note = self._any()
        return self._move(note, self.root / self._random.choice(FOLDERS) / note.name)

    def move_folder(self) -> list[str]:
        """A folder is renamed, or into another one; the system reports the folder alone."""
        folders = sorted(place for place in self.root.rglob("*") if place.is_dir())
        if not folders:
            return []
        self._count += 1
        folder = self._random.choice(folders)
        named = folder.with_name(self._random.choice([folder.name.swapcase(), f"Moved {self._count}"]))
        return self._move(folder, named)

    def touch(self) -> list[str]:
        """A note is saved as it is."""
        note = self._any()
        self._stamp(note)
        return [self._path(note)]

    def reorder(self) -> list[str]:
        """A note's sections change their places."""
        note = self._any()
        head, *sections = note.read_text("utf-8").split("\n## ")
        self._random.shuffle(sections)
        return self._write(note, "\n## ".join([head, *sections]))

    def properties(self) -> list[str]:
        """A note's front matter changes."""
        note = self._any()
        text = note.read_text("utf-8")
        if text.startswith("---\n"):
            text = text.split("\n---\n", 1)[-1]
        tag, alias = self._random.choice(WORDS[:12]), self._random.choice(WORDS[:12])
        return self._write(note, f"---\ntags: [{tag}]\naliases: [{alias} {self._random.randrange(9)}]\n---\n{text}")

    def copy(self) -> list[str]:
        """A note is there twice."""
        self._count += 1
        note = self._any()
        return self._write(note.with_name(f"Copy {self._count}.md"), note.read_text("utf-8"))

    def swap(self) -> list[str]:
        """Two notes take each other's name."""
        one, other = self._any(), self._any()
        aside = self.root / "aside.tmp"
        one.rename(aside)
        if other.exists():
            other.rename(one)
        aside.rename(other)
        return [self._path(one), self._path(other)]

    def line_ends(self) -> list[str]:
        """Another system's line ends, and back."""
        note = self._any()
        content = note.read_bytes()
        dos = b"\r\n" in content
        note.write_bytes(content.replace(b"\r\n", b"\n") if dos else content.replace(b"\n", b"\r\n"))
        self._stamp(note)
        return [self._path(note)]

    def exclude(self) -> list[str]:
        """A folder is left out, or everything comes back."""
        folder = self._random.choice(["", "Garden/", "/Work/Projects/", "阅读/"])
        return self._write(self.root / ".vaultbridgeignore", f"{folder}\n")

    def replace_everywhere(self) -> list[str]:
        """A word is another one in every note."""
        old, new = self._random.sample(WORDS[:12], 2)
        changed = []
        for note in self._notes():
            text = note.read_text("utf-8")
            if old in text:
                changed += self._write(note, text.replace(old, new))
        return changed

    def _notes(self) -> list[Path]:
        return sorted(self.root.rglob("*.md"))

    def _any(self) -> Path:
        if not (notes := self._notes()):
            self.add()
            notes = self._notes()
        return self._random.choice(notes)

    def _paragraph(self) -> str:
        return " ".join(self._random.choices(WORDS, k=self._random.randrange(4, 60))) + "."

    def _text(self) -> str:
        sections = self._random.randrange(1, 6)
        parts = [f"# {self._random.choice(WORDS[:12]).title()}", self._paragraph()]
        for _ in range(sections):
            parts += [f"## {self._random.choice(WORDS[:15]).title()}", *(self._paragraph() for _ in range(2))]
        return "\n\n".join(parts) + "\n"

    def _write(self, note: Path, text: str) -> list[str]:
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(text, "utf-8")
        self._stamp(note)
        return [self._path(note)]

    def _move(self, old: Path, new: Path) -> list[str]:
        if new.exists() or new == old:
            return []
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
        return [self._path(old), self._path(new)]

    def _stamp(self, note: Path) -> None:
        self._ticks += self._random.randrange(3)  # some are saved within the same second
        os.utime(note, (self._ticks, self._ticks))

    def _path(self, place: Path) -> str:
        return str(place.relative_to(self.root))
