"""How well a model alone finds what it should: an embedder among all notes, a reranker among the mined passages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vaultbridge.core.errors import ConfigError
from vaultbridge.core.notes import NotePath
from vaultbridge.core.ports import Embedder, Reranker
from vaultbridge.core.search import EmbedderInfo, Embedding, Lane, Vector
from vaultbridge.lab.cases import Case
from vaultbridge.lab.collection import Collection
from vaultbridge.lab.measures import NDCG, Values, judge
from vaultbridge.lab.training.dataset import Dataset, Example, Passage, Split

RECALL = "R@10"
PROVED = (NDCG, RECALL)

_DEPTH = 100
_BLOCK = 256
"""Texts that are embedded, and queries that are ranked, between two reports of progress."""

Progress = Callable[[int, int], None]


def _unseen(done: int, total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Scores:
    """How an embedder did: ``values[kind][measure]`` has a value, 0 to 1, for each of ``queries[kind]``."""

    queries: Mapping[str, tuple[str, ...]]
    values: Mapping[str, Mapping[str, Values]]

    def overall(self, measure: str) -> Values:
        """The values of all kinds, in their order."""
        return np.concatenate([values[measure] for values in self.values.values()])


def examine(dataset: Dataset, split: Split, embedder: Embedder, progress: Progress = _unseen) -> Scores:
    """Look up each query of a split among all passages of the vault, by cosine and nothing else.

    A note stands where its best passage does; the note that the query stands in is left out, unless it is the one to
    be found. ``bare`` examples are looked up among bare passages. ``progress``: texts embedded, of
    how many. Raises ConfigError for an empty split, EmbedFailed.
    """
    examples = _examples(dataset, split)
    passages = sorted(dataset.passages(), key=lambda passage: passage.note)
    shown = {bare: _shown(passages, bare) for bare in sorted({example.bare for example in examples})}
    documents = [text for _, texts in shown.values() for text in texts]
    vectors = _Vectors(embedder, documents, [example.query for example in examples], progress)
    cases = cases_of(examples)
    rankings: list[list[NotePath]] = [[] for _ in examples]
    for bare, (notes, texts) in shown.items():
        rows = [row for row, example in enumerate(examples) if example.bare == bare]
        ranked = _ranked([cases[row] for row in rows], notes, texts, vectors)
        for row, ranking in zip(rows, ranked, strict=True):
            rankings[row] = ranking
    return by_kind(examples, judge(cases, rankings))


def examine_collection(
    name: str, collection: Collection, embedder: Embedder, limit: int | None = None, progress: Progress = _unseen
) -> Scores:
    """The same for a test collection, whose ``name`` is the kind of its queries.

    A document is one text, its title in front. ``limit``: so many queries, evenly chosen. Raises EmbedFailed.
    """
    count = len(collection.queries) if limit is None else min(limit, len(collection.queries))
    all_ids = list(collection.queries)
    ids = [all_ids[at * len(all_ids) // count] for at in range(count)]
    names = sorted(collection.documents)
    documents = [_document(*collection.documents[id_]) for id_ in names]
    cases = [
        Case(id_, collection.queries[id_], {NotePath(key): grade for key, grade in collection.relevant[id_].items()})
        for id_ in ids
    ]
    vectors = _Vectors(embedder, documents, [case.text for case in cases], progress)
    values = judge(cases, _ranked(cases, list(map(NotePath, names)), documents, vectors))
    return Scores({name: tuple(case.text for case in cases)}, {name: {measure: values[measure] for measure in PROVED}})


def examine_reranker(dataset: Dataset, split: Split, reranker: Reranker, progress: Progress = _unseen) -> Scores:
    """Sort each query's own passages, its positives and the mined negatives, by their scores.

    ``progress``: queries asked, of how many. Raises ConfigError for an empty split, EmbedFailed.
    """
    examples = _examples(dataset, split)
    cases: list[Case] = []
    rankings: list[list[NotePath]] = []
    for row, example in enumerate(examples):
        texts = (*example.pos, *example.neg)
        names = [NotePath(f"{at}") for at in range(len(texts))]
        cases.append(Case(f"{row}", example.query, dict.fromkeys(names[: len(example.pos)], 1)))
        # Of equal scores the last one wins, and the positives are the first: who tells nothing apart gains nothing.
        scored = zip(reranker.score(example.query, texts), range(len(texts)), strict=True)
        rankings.append([names[at] for _, at in sorted(scored, reverse=True)])
        progress(row + 1, len(examples))
    return by_kind(examples, judge(cases, rankings))


def cases_of(examples: Sequence[Example]) -> list[Case]:
    """Each example as a question for its target, without the note that it stands in."""
    return [
        Case(
            f"{row}",
            example.query,
            {example.target: 1},
            () if example.source == example.target else (example.source,),
        )
        for row, example in enumerate(examples)
    ]


def by_kind(examples: Sequence[Example], values: Mapping[str, Values]) -> Scores:
    """What was measured of the examples, in their order, by their kinds."""
    rows: dict[str, list[int]] = {}
    for row, example in enumerate(examples):
        rows.setdefault(example.kind, []).append(row)
    kinds = sorted(rows)
    return Scores(
        {kind: tuple(examples[row].query for row in rows[kind]) for kind in kinds},
        {kind: {measure: values[measure][rows[kind]] for measure in PROVED} for kind in kinds},
    )


class Remembered:
    """An Embedder that embeds no text twice: the passages are those of every split."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[tuple[Lane, str], Embedding] = {}

    @property
    def info(self) -> EmbedderInfo:
        """What this embedder is."""
        return self._embedder.info

    def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        """Embed ``texts``, or remember them; the dense vector is all that is kept."""
        new = [text for text in dict.fromkeys(texts) if (lane, text) not in self._known]
        for text, embedding in zip(new, self._embedder.embed(new, lane) if new else (), strict=True):
            self._known[lane, text] = Embedding(embedding.dense)
        return [self._known[lane, text] for text in texts]


def _examples(dataset: Dataset, split: Split) -> list[Example]:
    examples = dataset.examples(split)
    if not examples:
        raise ConfigError(f"The {split} split of {dataset.folder} is empty.", "Make it anew: vaultbridge train data")
    return examples


def _document(title: str, text: str) -> str:
    return f"{title}\n{text}" if title else text


def _shown(passages: Sequence[Passage], bare: bool) -> tuple[list[NotePath], list[str]]:
    """The passages' notes and texts as they are searched; one that is nothing but headings is nothing when bare."""
    texts = [passage.bare if bare else passage.embedded for passage in passages]
    kept = [(passage.note, text) for passage, text in zip(passages, texts, strict=True) if text]
    return [note for note, _ in kept], [text for _, text in kept]


class _Vectors:
    """The dense vectors of documents and queries, each text embedded once."""

    def __init__(
        self, embedder: Embedder, documents: Sequence[str], queries: Sequence[str], progress: Progress
    ) -> None:
        self._known: dict[tuple[Lane, str], Vector] = {}
        wanted: dict[Lane, list[str]] = {
            "document": list(dict.fromkeys(documents)),
            "query": list(dict.fromkeys(queries)),
        }
        total = sum(map(len, wanted.values()))
        for lane, texts in wanted.items():
            for start in range(0, len(texts), _BLOCK):
                block = texts[start : start + _BLOCK]
                for text, embedding in zip(block, embedder.embed(block, lane), strict=True):
                    self._known[lane, text] = embedding.dense
                progress(len(self._known), total)

    def matrix(self, texts: Sequence[str], lane: Lane) -> Vector:
        return np.stack([self._known[lane, text] for text in texts])


def _ranked(
    cases: Sequence[Case], notes: Sequence[NotePath], texts: Sequence[str], vectors: _Vectors
) -> list[list[NotePath]]:
    """The notes for each case, best first; ``notes`` are those of the ``texts``, and one note's stand together."""
    starts = [at for at, note in enumerate(notes) if at == 0 or notes[at - 1] != note]
    paths = [notes[at] for at in starts]
    documents = vectors.matrix(texts, "document")
    ranked: list[list[NotePath]] = []
    for start in range(0, len(cases), _BLOCK):
        block = cases[start : start + _BLOCK]
        cosines = vectors.matrix([case.text for case in block], "query") @ documents.T
        for case, row in zip(block, np.maximum.reduceat(cosines, starts, axis=1), strict=True):
            best = np.argsort(-row, kind="stable")[: _DEPTH + len(case.without)]
            ranked.append([paths[at] for at in best if paths[at] not in case.without][:_DEPTH])
    return ranked
