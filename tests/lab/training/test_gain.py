"""What is said of two models that were asked the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vaultbridge.core.errors import ConfigError
from vaultbridge.lab.measures import NDCG
from vaultbridge.lab.training.gain import ALL, FILE, Proof, compare, read_proof
from vaultbridge.lab.training.proof import PROVED, Scores


def scores(values: Mapping[str, list[float]]) -> Scores:
    """Both measures alike."""
    return Scores(
        {kind: tuple(f"{kind} {row}" for row in range(len(found))) for kind, found in values.items()},
        {kind: {measure: np.array(found) for measure in PROVED} for kind, found in values.items()},
    )


def proof(before: Mapping[str, list[float]], after: Mapping[str, list[float]]) -> Proof:
    return Proof("base", "tuned", "abc", compare(scores(before), scores(after)))


def test_differences_are_taken_query_by_query() -> None:
    before, after = {"heading": [0.0, 1.0], "link": [0.5] * 3}, {"heading": [0.5, 0.5], "link": [0.6] * 3}
    found = compare(scores(before), scores(after))
    assert list(found) == ["heading", "link", ALL]
    link = found["link"][NDCG]
    assert link.queries == 3
    assert [link.before.mean, link.after.mean] == pytest.approx([0.5, 0.6])
    assert [link.gain.low, link.gain.high] == pytest.approx([0.1, 0.1]), "each query gained as much"
    heading = found["heading"][NDCG].gain
    assert (heading.mean, heading.low, heading.high) == (0, -0.5, 0.5), "two queries, of which one lost as much"
    assert found[ALL][NDCG].queries == 5
    assert found[ALL][NDCG].gain.mean == pytest.approx(0.3 / 5)


def test_other_queries_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="same queries"):
        compare(scores({"link": [1.0]}), scores({"link": [1.0, 1.0]}))


def test_it_holds_only_if_the_interval_is_above_zero() -> None:
    assert proof({"link": [0.5] * 9}, {"link": [0.6] * 9}).holds
    assert not proof({"link": [0.5] * 9}, {"link": [0.5] * 9}).holds, "nothing changed"
    assert not proof({"link": [0.5] * 2}, {"link": [1.0, 0.1]}).holds, "it may be chance"
    assert not proof({"link": [0.5] * 9}, {"link": [0.4] * 9}).holds


def test_it_is_read_as_it_was_written_and_only_of_the_same_weights(tmp_path: Path) -> None:
    written = proof({"link": [0.5, 0.2]}, {"link": [0.6, 0.4]})
    whole = replace(written, general={"cranfield": dict(written.validation["link"])})
    assert read_proof(tmp_path, "abc") is None
    whole.write(tmp_path)
    assert read_proof(tmp_path, "abc") == whole
    assert read_proof(tmp_path, "other") is None, "the model is another one by now"
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_proof_that_makes_no_sense_says_how_to_make_it_anew(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    with pytest.raises(ConfigError, match="train report"):
        read_proof(tmp_path, "abc")
