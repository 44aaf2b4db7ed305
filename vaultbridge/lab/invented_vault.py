"""A vault of Markdown files that no one wrote, the same for the same seed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

from vaultbridge.lab.invented import Invention

AVERAGE_BYTES = 2_000
SPREAD = 0.8
"""Of the logarithm of a note's length: a few are ten times as long as most."""
SENTENCE_WORDS = (5, 18)
HALF_A_BLOCK = 240
"""Bytes by which a note that ends with a whole block would be longer than is wanted, on average."""
LINKS = 3
"""Links in a note, on average; early notes are linked to most."""
FIRST_DAY = 1_600_000_000
SECONDS_BETWEEN = 3_600
_DRAWN = 4_000
"""Words drawn at a time."""


class InventedVault:
    """Notes with front matter, headings, lists, tables, code, tags and links, in folders, each an hour newer."""

    def __init__(self, notes: int, seed: int) -> None:
        self._notes = notes
        self._invention = Invention(2, seed)
        self._random = Random(seed)
        self._words = self._drawn()

    def write(self, folder: Path) -> int:
        """Write every note below ``folder``; the bytes of all of them."""
        size = 0
        for number in range(self._notes):
            file = folder / path_of(number)
            file.parent.mkdir(parents=True, exist_ok=True)
            content = self.text(number).encode()
            file.write_bytes(content)
            written = FIRST_DAY + number * SECONDS_BETWEEN
            os.utime(file, (written, written))
            size += len(content)
        return size

    def text(self, number: int) -> str:
        """A note of that number; another text each time that it is asked for."""
        draw = self._random
        wanted = AVERAGE_BYTES * draw.lognormvariate(-(SPREAD**2) / 2, SPREAD)
        parts = [f"---\ntags: [{self._name()}, {self._name()}]\naliases: [{self._phrase(2)}]\n---\n"]
        parts.append(f"# {self._phrase(3).capitalize()}\n")
        size = sum(map(len, parts))
        while size + HALF_A_BLOCK < wanted:
            part = self._block(number)
            parts.append(part)
            size += len(part.encode())
        return "\n".join(parts)

    def _block(self, number: int) -> str:
        kind = self._random.random()
        if kind < 0.15:
            return f"## {self._phrase(3).capitalize()}\n"
        if kind < 0.3:
            return "".join(f"- {self._phrase(6)}\n" for _ in range(self._random.randint(2, 6)))
        if kind < 0.34:
            rows = "".join(f"| {self._name()} | {self._phrase(4)} |\n" for _ in range(4))
            return f"| {self._name()} | {self._name()} |\n|---|---|\n{rows}"
        if kind < 0.37:
            return f"```python\n{self._name()} = {self._name()}({self._random.randint(1, 99)})\n```\n"
        text = " ".join(self._sentence() for _ in range(self._random.randint(2, 6)))
        if self._random.random() < LINKS * 400 / AVERAGE_BYTES:
            text += f" See [[{Path(path_of(self._linked(number))).stem}]] #{self._name()}."
        return f"{text}\n"

    def _linked(self, number: int) -> int:
        """Another note: the lower its number, the likelier, so that some are linked to by many."""
        return int((self._notes - 1) * self._random.random() ** 3) if number else 0

    def _sentence(self) -> str:
        return f"{self._phrase(self._random.randint(*SENTENCE_WORDS)).capitalize()}."

    def _phrase(self, words: int) -> str:
        return " ".join(self._name() for _ in range(words))

    def _name(self) -> str:
        return next(self._words)

    def _drawn(self) -> Iterator[str]:
        while True:
            yield from self._invention.words(_DRAWN)


def path_of(number: int) -> str:
    """Where the note of that number is."""
    return f"{number % 97:02d}/note {number}.md"
