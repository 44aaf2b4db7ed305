"""Where a question points, and which embedder understands it."""

from __future__ import annotations

import numpy as np
import pytest

from vaultbridge.core.search import Vector
from vaultbridge.retrieve.meaning import Direction, Nearness, understands, wording


def vector(*values: float) -> Vector:
    made = np.asarray(values, dtype=np.float32)
    return made / np.linalg.norm(made)


def test_what_is_near_to_any_question_loses_to_what_is_near_to_this_one() -> None:
    ground, question = vector(0, 1, 0), vector(1, 1, 0)
    vectors = {"hub": vector(0.85, 1, 0), "own": vector(1, 0.8, 0)}
    plain = Nearness(Direction.away_from(ground, question, 0.0), vectors)
    aimed = Nearness(Direction.away_from(ground, question, 0.3), vectors)
    assert plain.scores["hub"] > plain.scores["own"]
    assert aimed.scores["own"] > aimed.scores["hub"]
    assert aimed.cosines == plain.cosines == plain.scores


def test_feedback_draws_towards_what_is_liked_and_only_as_far() -> None:
    near = Nearness(
        Direction.away_from(vector(0, 0, 1), vector(1, 0, 0), 0.0), {"a": vector(1, 1, 0), "b": vector(1, 0, 1)}
    )
    drawn = near.towards({"a": 1.0}, 0.5)
    further = near.towards({"a": 1.0}, 1.0)
    assert near.scores["a"] == near.scores["b"]
    assert 0 < drawn.scores["a"] - drawn.scores["b"] < further.scores["a"] - further.scores["b"]
    assert drawn.cosines == near.cosines, "the floor is meant for the question as it was asked"
    assert near.towards({"a": 0.0}, 0.5).scores == near.scores
    assert near.towards({"without a vector": 1.0}, 0.5) == near


@pytest.mark.parametrize(
    ("languages", "text", "expected"),
    [
        ((), "红烧肉要炖多久？", True),
        (("en",), "How long does it simmer?", True),
        (("en",), "红烧肉要炖多久？", False),
        (("en",), "Сколько варить?", False),
        (("en",), "Was heißt VPN auf Englisch?", True),
        (("en",), "What does 红烧肉 mean in English?", True),
        (("en",), "红烧肉怎么做 recipe", True),
        (("en", "zh"), "红烧肉要炖多久？", True),
        (("zh",), "图书馆", True),
        (("ja",), "図書館はどこ", True),
        (("en",), "2024-03?", True),
    ],
)
def test_an_embedder_understands_the_scripts_of_its_languages(
    languages: tuple[str, ...], text: str, expected: bool
) -> None:
    assert understands(languages, text) is expected


def test_the_bare_questions_are_in_the_script_of_the_question() -> None:
    assert wording("What is X?") == "latin"
    assert wording("红烧肉 recipe") == "cjk"
