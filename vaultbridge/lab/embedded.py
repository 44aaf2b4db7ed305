"""An embedder that writes down what it embeds, and what can be read from that afterwards."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from vaultbridge.backends.fakes.embedder import FakeEmbedder
from vaultbridge.core.search import Embedding, Lane

START = "start"


class LoggedEmbedder(FakeEmbedder):
    """As the fake one; appends a line to ``log`` for each chunk, and one for its own start. It outlives the process."""

    def __init__(self, log: Path, name: str = "") -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(self._log, f"{START}\n".encode())

    def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        """Embed ``texts``: dense only, ``(64,)`` each."""
        found = super().embed(texts, lane)
        if lane == "document":
            lines = "".join(hashlib.sha256(text.encode()).hexdigest()[:32] + "\n" for text in texts)
            os.write(self._log, lines.encode())
        return found


def embedded_again(log: Path, in_flight: int) -> Counter[str]:
    """How many texts a log names twice, by what that says.

    ``in flight``: they were among the last ``in_flight`` that an embedder made before its end, and may not have been
    stored. Anything else was needless: ``in one life`` of an embedder, or ``though stored`` in an earlier one.
    """
    again: Counter[str] = Counter()
    places: dict[str, tuple[int, int]] = {}
    lives = [life.split() for life in log.read_text(encoding="utf-8").split(START)] if log.exists() else []
    for number, life in enumerate(lives):
        for place, text in enumerate(life):
            if text in places:
                earlier, where = places[text]
                if earlier == number:
                    again["in one life"] += 1
                else:
                    lost = len(lives[earlier]) - where <= in_flight
                    again["in flight" if lost else "though stored"] += 1
            places[text] = (number, place)
    return again
