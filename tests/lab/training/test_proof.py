"""What a model finds, against rankings made by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.lab.training.angles import Angles, Marks
from vaultbridge.core.errors import ConfigError
from vaultbridge.core.notes import NotePath
from vaultbridge.lab.collection import Collection
from vaultbridge.lab.measures import NDCG
from vaultbridge.lab.training.dataset import Dataset, Example, Passage
from vaultbridge.lab.training.proof import RECALL, Remembered, examine, examine_collection, examine_reranker

A, B, C, D = (NotePath(f"{name}.md") for name in "ABCD")
SECOND = 1 / math.log2(3)
"""The nDCG of a single right note in the second place."""
PASSAGES = [
    Passage(A, 0, "", "a far"),
    Passage(D, 0, "", "d"),
    Passage(B, 0, "", "b"),
    Passage(A, 1, "", "a near"),
    Passage(C, 0, "", "c"),
]
DEGREES = {"q": 0, "a near": 10, "b": 20, "c": 30, "a far": 60, "d": 80}


def example(query: str, source: NotePath, target: NotePath, kind: str = "link", *, bare: bool = False) -> Example:
    return Example(query, ("right",), ("wrong",), kind, source, target, bare)


def dataset(folder: Path, examples: Sequence[Example], passages: Sequence[Passage] = tuple(PASSAGES)) -> Dataset:
    made = Dataset(folder)
    made.write({"train": [], "validation": [], "test": list(examples)}, passages, {})
    return made


def test_a_note_stands_where_its_best_passage_does_and_the_source_is_left_out(tmp_path: Path) -> None:
    asked = [example("q", D, B), example("q", A, B), example("q", B, B, "heading"), example("q", D, A)]
    scores = examine(dataset(tmp_path, asked), "test", Angles(DEGREES))
    assert scores.values["link"][NDCG] == pytest.approx([SECOND, 1, 1]), "behind A; first without A; A by its second"
    assert scores.values["heading"][NDCG] == pytest.approx([SECOND]), "its own note is what it looks for"
    assert scores.values["link"][RECALL] == pytest.approx([1, 1, 1])
    assert scores.queries == {"heading": ("q",), "link": ("q", "q", "q")}
    assert scores.overall(NDCG) == pytest.approx([SECOND, SECOND, 1, 1])


def test_the_eleventh_note_is_not_found(tmp_path: Path) -> None:
    notes = [NotePath(f"{number:02}.md") for number in range(12)]
    passages = [Passage(note, 0, "", note) for note in notes]
    degrees = {"q": 0.0} | {note: 5.0 * place for place, note in enumerate(notes)}
    asked = [example("q", notes[11], notes[9]), example("q", notes[11], notes[10])]
    scores = examine(dataset(tmp_path, asked, passages), "test", Angles(degrees))
    assert scores.values["link"][NDCG] == pytest.approx([1 / math.log2(11), 0])
    assert scores.values["link"][RECALL] == pytest.approx([1, 0])


def test_bare_queries_are_looked_up_among_bare_passages(tmp_path: Path) -> None:
    passages = [
        Passage(A, 0, "Bees", "# Bees\n\nthey sleep"),
        Passage(A, 1, "Bees", "# Bees"),
        Passage(B, 0, "Wasps", "they sting"),
    ]
    degrees = {
        "Bees": 0, "Bees\n# Bees\n\nthey sleep": 0, "Bees\n# Bees": 0, "Wasps\nthey sting": 90,
        "they sleep": 50, "they sting": 40,
    }  # fmt: skip
    asked = [example("Bees", A, A, "heading", bare=True), example("Bees", C, A)]
    scores = examine(dataset(tmp_path, asked, passages), "test", Angles(degrees))
    assert scores.values["heading"][NDCG] == pytest.approx([SECOND]), "its own words do not give it away"
    assert scores.values["link"][NDCG] == pytest.approx([1])


def test_bare_passages_are_embedded_only_if_they_are_asked_for(tmp_path: Path) -> None:
    passages = [Passage(A, 0, "Bees", "they sleep"), Passage(B, 0, "Wasps", "they sting")]
    embedder = Angles({"q": 0, "Bees\nthey sleep": 0, "Wasps\nthey sting": 90})
    examine(dataset(tmp_path, [example("q", B, A)], passages), "test", embedder)
    assert ("document", "they sleep") not in embedder.asked
    assert sorted(embedder.asked) == [
        ("document", "Bees\nthey sleep"),
        ("document", "Wasps\nthey sting"),
        ("query", "q"),
    ]


def test_progress_ends_at_the_whole_and_no_text_is_embedded_twice(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    embedder = Remembered(inner := Angles(DEGREES))
    asked = dataset(tmp_path, [example("q", D, B), example("q", A, B)])
    for _ in range(2):
        examine(asked, "test", embedder, lambda done, total: told.append((done, total)))
    assert told[-1] == (6, 6)
    assert sorted(inner.asked) == sorted(set(inner.asked))


def test_a_split_without_queries_says_so(tmp_path: Path) -> None:
    asked = dataset(tmp_path, [example("q", D, B)])
    with pytest.raises(ConfigError, match=r"validation split .* is empty"):
        examine(asked, "validation", Angles(DEGREES))
    with pytest.raises(ConfigError, match=r"train split .* is empty"):
        examine_reranker(asked, "train", Marks({}))


def test_a_collection_is_ranked_by_whole_documents_with_their_titles() -> None:
    documents = {"1": ("Bees", "sleep"), "2": ("", "sting"), "3": ("", "fly")}
    collection = Collection(documents, {"x": "q", "y": "other"}, {"x": {"2": 2, "3": 1}, "y": {"1": 1}})
    degrees = {"q": 0, "Bees\nsleep": 10, "sting": 20, "fly": 30, "other": 11}
    scores = examine_collection("insects", collection, Angles(degrees))
    # Gains 3 and 1 (2^grade - 1), found behind one that is none.
    best = 3 + 1 / math.log2(3)
    assert scores.values["insects"][NDCG] == pytest.approx([(3 / math.log2(3) + 1 / 2) / best, 1])


@pytest.mark.parametrize(("limit", "asked"), [(1, ["q0"]), (2, ["q0", "q2"]), (9, ["q0", "q1", "q2", "q3"])])
def test_a_limit_chooses_evenly(limit: int, asked: list[str]) -> None:
    queries = {f"{number}": f"q{number}" for number in range(4)}
    collection = Collection({"d": ("", "d")}, queries, {key: {"d": 1} for key in queries})
    scores = examine_collection("x", collection, Angles({"d": 0, **dict.fromkeys(queries.values(), 0.0)}), limit)
    assert scores.queries == {"x": tuple(asked)}


def test_a_reranker_sorts_each_querys_own_passages(tmp_path: Path) -> None:
    asked = [
        Example("q", ("good",), ("bad", "worse"), "link", A, B),
        Example("q", ("bad",), ("good", "worse"), "link", A, B),
        Example("q", ("same",), ("like it",), "heading", A, A),
    ]
    marks = Marks({"good": 0.9, "bad": 0.5, "worse": 0.1, "same": 0.5, "like it": 0.5})
    scores = examine_reranker(dataset(tmp_path, asked), "test", marks)
    assert scores.values["link"][NDCG] == pytest.approx([1, SECOND])
    assert scores.values["heading"][NDCG] == pytest.approx([SECOND]), "who tells nothing apart gains nothing"
