"""The ways to run an embedder, side by side, on a tiny model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.contracts.test_embedder import quiet
from tests.contracts.tiny_m3 import make_tiny_m3
from vaultbridge.backends.onnx_export import export
from vaultbridge.backends.onnx_folder import FOLDER
from vaultbridge.catalog.supply import Model
from vaultbridge.lab.embedding_rate import WAYS, chunks_of, measure, spread

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


def test_every_way_embeds_the_same_note(tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    vault.mkdir()
    (vault / "garden.md").write_text("# Garden\n\nWater the plant today.\n\n# Tasks\n\nThe meeting is due.\n")
    (note,) = chunks_of([vault])
    options = {"max_tokens": 512}
    with quiet():
        model = Model("tiny", make_tiny_m3(tmp_path / "model"), "flag-m3", options)
        export(model.path, "flag-m3", options, model.path / FOLDER)
        rows = {way: measure(way, model, note, spread(note * 3, 4)) for way in WAYS}
    torch = np.stack(rows["torch"]["vectors"])
    for row in rows.values():
        assert row["chunks"] == min(4, 3 * len(note))
        assert row["chunks_per_s"] > 0
        assert np.vecdot(np.stack(row["vectors"]), torch).min() > 0.9


def test_chunks_are_chosen_evenly() -> None:
    texts = [str(number) for number in range(10)]
    assert spread(texts, 5) == ["0", "2", "4", "6", "8"]
    assert spread(texts, 99) == texts
