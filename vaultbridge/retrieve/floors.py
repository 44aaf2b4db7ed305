"""From which cosine on a chunk speaks of a question: estimated for each embedder from the vault itself, without labels.

Cosines mean something else with every embedder, with every script that it reads, and in a vault of another size. What
they are worth where nothing is to be found is seen by asking the vault what no notes answer.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from vaultbridge.core.ports import ChunkStore, EmbeddingService
from vaultbridge.core.search import UNMEASURED, EmbedderInfo, Scope
from vaultbridge.retrieve.meaning import Wording, understands, wording

log = logging.getLogger(__name__)

FILE = "floors.json"
"""Its name, in the folder of the index."""
FEWEST_VECTORS = 32
"""A vault of fewer chunks says too little of an embedder of which the catalogue knows more."""
GROWTH = 2.0
"""A vault that has so many times the chunks, or that part of them, is asked again."""
DEVIATIONS = 3.0
"""A cosine is enough by itself so many deviations above what stray questions reach."""
BATCH = 8
"""Questions embedded at a time: people's own pass between."""

STRAY_QUESTIONS: Mapping[Wording, tuple[str, ...]] = {
    "latin": (
        "What is the capital of Mongolia?",
        "How do submarines dive?",
        "Who invented the telephone?",
        "How many legs does a lobster have?",
        "Why do cats purr?",
        "What causes the northern lights?",
        "When was the first Olympic marathon run?",
        "How is glass made?",
        "Which planet has the longest day?",
        "What is the highest mountain of Africa?",
        "Explain how vaccines work.",
        "Who composed The Magic Flute?",
        "Tell me a riddle.",
        "Write a limerick about a penguin.",
        "How far away is the moon?",
        "What does a notary do?",
        "Why did the Roman Empire fall?",
        "What is the plural of octopus?",
        "How do I tie a bow tie?",
        "How many people live in Norway?",
        "How was your day?",
        "What is quantum entanglement?",
        "Give me a name for a parrot.",
        "How does a sewing machine work?",
    ),
    "cjk": (
        "蒙古的首都是哪里？",
        "潜水艇是怎么下潜的？",
        "电话是谁发明的？",
        "龙虾有几条腿？",
        "猫为什么会打呼噜？",
        "极光是怎么形成的？",
        "第一届奥运会是哪一年举行的？",
        "玻璃是怎么做出来的？",
        "哪颗行星的一天最长？",
        "非洲最高的山是哪座？",
        "解释一下疫苗的原理。",
        "《魔笛》是谁作的曲？",
        "出个谜语给我猜。",
        "写一首关于企鹅的打油诗。",
        "月亮离地球有多远？",
        "公证员是做什么的？",
        "罗马帝国为什么灭亡？",
        "“章鱼”用英语怎么说？",
        "领结怎么打？",
        "挪威有多少人口？",
        "你今天过得怎么样？",
        "什么是量子纠缠？",
        "给鹦鹉起个名字。",
        "缝纫机是怎么工作的？",
    ),
}
"""Questions of all kinds that people ask, and that hardly any vault speaks of; where one does, the median holds."""


@dataclass(frozen=True, slots=True)
class Floor:
    """Two cosines of a question and a chunk: what a ``stray`` question reaches, and what is enough to be ``sure``."""

    stray: float
    sure: float

    def nearness(self, cosine: float) -> float:
        """How far a chunk speaks of a question: 0 as far as a stray one's best does, 1 surely."""
        if cosine >= self.sure:
            return 1.0
        return max(0.0, (cosine - self.stray) / (self.sure - self.stray)) if self.sure > self.stray else 0.0


def floor_over(cosines: Sequence[float]) -> Floor:
    """The floor over what the best chunk for each stray question reaches.

    That is the median, and the deviation of the lower half from it: the upper half may hold questions that the vault
    does speak of.
    """
    reached = np.asarray(cosines, dtype=np.float64)
    middle = float(np.median(reached))
    lower = reached[reached <= middle]
    deviation = float(np.sqrt(np.mean((lower - middle) ** 2)))
    return Floor(round(middle, 4), round(middle + DEVIATIONS * deviation, 4))


@dataclass(frozen=True, slots=True)
class _Estimate:
    """The floors of one embedder, and of how many chunks they were estimated."""

    chunks: int
    floors: Mapping[Wording, Floor]

    def holds(self, chunks: int) -> bool:
        return self.chunks / GROWTH < chunks < self.chunks * GROWTH


class Floors:
    """The floors of a vault, kept in a file of its index; what the catalogue says counts where there are none."""

    def __init__(self, folder: Path, store: ChunkStore, embeddings: EmbeddingService | None) -> None:
        self._file = folder / FILE
        self._store = store
        self._embeddings = embeddings
        self._estimates = _read(self._file)

    def of(self, info: EmbedderInfo, text: str) -> Floor:
        """The floor for a question."""
        estimate = self._estimates.get(info.fingerprint)
        return (estimate.floors.get(wording(text)) if estimate else None) or Floor(info.floor, info.floor)

    async def renew(self, chunks: int) -> None:
        """Estimate them if there are none, or if the vault of so many embedded ``chunks`` has grown or shrunk a lot."""
        if self._embeddings is None or not chunks:
            return
        info = await self._embeddings.info()
        if chunks < FEWEST_VECTORS and info.floor < UNMEASURED:
            return
        known = self._estimates.get(info.fingerprint)
        if known is not None and known.holds(chunks):
            return
        floors: dict[Wording, Floor] = {}
        for kind, questions in STRAY_QUESTIONS.items():
            if understands(info.languages, questions[0]):
                floors[kind] = floor_over(await self._best(self._embeddings, questions))
        self._estimates = {**self._estimates, info.fingerprint: _Estimate(chunks, floors)}
        _write(self._file, self._estimates)
        log.info("relevance floors of %s: %s", info.name, {kind: floor.sure for kind, floor in floors.items()})

    async def _best(self, embeddings: EmbeddingService, questions: Sequence[str]) -> list[float]:
        """The best cosine that each question reaches."""
        best: list[float] = []
        for at in range(0, len(questions), BATCH):
            for embedding in await embeddings.embed(questions[at : at + BATCH], "query"):
                best += [scored.score for scored in await self._store.dense(embedding.dense, Scope(), 1)]
        return best


def _read(file: Path) -> dict[str, _Estimate]:
    """What was written; nothing if that cannot be read, since it is estimated again."""
    try:
        return {
            fingerprint: _Estimate(
                int(row["chunks"]), {kind: Floor(*map(float, row[kind])) for kind in STRAY_QUESTIONS if kind in row}
            )
            for fingerprint, row in json.loads(file.read_text(encoding="utf-8")).items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _write(file: Path, estimates: Mapping[str, _Estimate]) -> None:
    rows = {
        fingerprint: {"chunks": row.chunks, **{kind: astuple(floor) for kind, floor in row.floors.items()}}
        for fingerprint, row in estimates.items()
    }
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    draft.replace(file)
