"""Vaults of invented words, large enough to be learned from."""

from __future__ import annotations

from pathlib import Path
from random import Random

from vaultbridge.core.notes import FileState, NotePath
from vaultbridge.lab.training.pairs import Cut
from vaultbridge.vault.chunking import chunk
from vaultbridge.vault.markdown import parse

NOTES = 36
SECTIONS = 6
SYLLABLES = "ba de fi go hu ka le mi no pu ra se ti vo wu xa ye zi".split()


def invented(seed: int, notes: int = NOTES) -> dict[str, str]:
    """Each note's text by its path: sections under headings, and links that have sentences around them."""
    chance = Random(seed)

    def said(words: int) -> str:
        return " ".join("".join(chance.choices(SYLLABLES, k=3)) for _ in range(words))

    names = [said(2) for _ in range(notes)]
    texts: dict[str, str] = {}
    for name in names:
        parts = [f"{said(25)}.\n"]
        for _ in range(SECTIONS):
            parts.append(f"## {said(3)}\n\n{said(25)}.\n")
            if chance.random() < 0.4:
                parts.append(f"{said(5)} [[{chance.choice(names)}]] {said(4)}.\n")
        texts[f"{chance.choice('abc')}/{name}.md"] = "\n".join(parts)
    # One note says nearly what another one says.
    first, second = list(texts)[:2]
    texts[second] += f"\n## {said(3)}\n\n" + texts[first].split("\n")[0] + " Indeed.\n"
    return texts


def cut(path: str, text: str) -> Cut:
    note = parse(text, FileState(NotePath(path), 1, len(text), "0"))[0]
    return Cut(note, chunk(note))


def write(texts: dict[str, str], folder: Path) -> Path:
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder
