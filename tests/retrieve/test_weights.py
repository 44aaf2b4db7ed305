"""Weights on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from vaultbridge.core.errors import ConfigError
from vaultbridge.retrieve.weights import FILE, FusionWeights, read_weights, write_weights


def test_weights_come_back_as_they_were_written(tmp_path: Path) -> None:
    assert read_weights(tmp_path) == FusionWeights()
    fitted = FusionWeights(dense=1.4, feedback=0.25)
    assert write_weights(tmp_path, fitted) == tmp_path / FILE
    assert read_weights(tmp_path) == fitted


def test_a_weight_that_is_not_named_has_its_default(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"dense": 2}')
    assert read_weights(tmp_path) == FusionWeights(dense=2.0)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"dense": "much"}', '{"dense": -1}', '{"dense": NaN}', '{"x": 1}'])
def test_what_are_no_weights_is_refused_with_a_hint(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ConfigError) as refused:
        read_weights(tmp_path)
    assert "Delete it" in refused.value.hint
