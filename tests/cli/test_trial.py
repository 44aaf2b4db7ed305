"""``doctor --deep``: models of random weights do their work, and what a card says is held against what comes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.contracts.test_embedder import quiet
from tests.contracts.tiny_m3 import make_tiny_m3
from tests.lab.tiny import tiny_model
from vaultbridge.catalog.supply import Model
from vaultbridge.cli.trial import PUBLISHED, departure, try_model
from vaultbridge.settings import load_settings


def test_what_the_card_says_may_be_off_by_a_hundredth() -> None:
    published = np.array(PUBLISHED["bge-m3"], dtype=np.float32)
    assert departure("bge-m3", published + np.float32(0.009)) == ""
    wrong = published.copy()
    wrong[1, 0] += 0.02
    assert "0.626, 0.348" in departure("bge-m3", wrong)
    assert departure("another", wrong) == "", "nothing is published of it"


async def test_a_chat_model_answers(tmp_path: Path) -> None:
    check = await try_model("chat", Model("tiny", tiny_model(tmp_path), "llama"), load_settings(None, {}))
    assert check.ok, check.remedy
    assert "tokens/s" in check.said


async def test_a_broken_file_says_what_to_do(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    check = await try_model("chat", Model("broken", broken, "llama"), load_settings(None, {}))
    assert not check.ok
    assert "broken" in check.said


@pytest.mark.timeout(300)
async def test_weights_that_are_not_bge_m3s_are_found_out(tmp_path: Path) -> None:
    """The same code as for the real one: the figures of random weights are not those of the card."""
    folder = make_tiny_m3(tmp_path / "bge-m3")
    model = Model("bge-m3", folder, "flag-m3", {"max_tokens": 512, "floor": 0.0})
    check = await try_model("embedder", model, load_settings(None, {}))
    assert "similarities [" in check.said, check
    assert "Its card says" in check.remedy


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
async def test_what_8_bits_change_is_said_and_is_no_damage(tmp_path: Path) -> None:
    from vaultbridge.backends.onnx_export import export
    from vaultbridge.backends.onnx_folder import FOLDER

    folder = make_tiny_m3(tmp_path / "bge-m3")
    with quiet():
        export(folder, "flag-m3", {"max_tokens": 512}, folder / FOLDER)
    model = Model("bge-m3", folder, "flag-m3", {"max_tokens": 512, "floor": 0.0})
    settings = load_settings(None, {"models.embedder_runtime": "onnx-int8"})
    check = await try_model("embedder", model, settings)
    assert check.ok, check.remedy
    assert "by onnx-int8" in check.said
    assert "8 bits change scores by" in check.said
