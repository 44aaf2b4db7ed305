"""The engine's settings as they are run: what is left open is chosen from the file, what is set stays."""

from __future__ import annotations

from pathlib import Path

from tests.lab.tiny import tiny_adapter, tiny_model
from vaultbridge.catalog.gguf_header import GgufHeader
from vaultbridge.catalog.supply import Model
from vaultbridge.fitted import fitted
from vaultbridge.settings import EngineSettings


def test_what_is_left_open_is_chosen_and_said(tmp_path: Path) -> None:
    found = fitted(EngineSettings(), Model("tiny", tiny_model(tmp_path), "llama"))
    assert found.engine.context == 2048, "as much as it was trained on"
    assert found.engine.slots == 8
    assert found.engine.cache == 2 * 2048
    assert found.chosen.startswith("tiny: 2,048 tokens of context, 8 conversations, on the")
    assert found.fits


def test_what_is_set_stays(tmp_path: Path) -> None:
    engine = EngineSettings(context=512, slots=2, cache=1024, gpu_layers=0)
    assert fitted(engine, Model("tiny", tiny_model(tmp_path), "llama")).engine == engine


def test_other_backends_and_broken_files_get_the_usual(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(40))
    for model in (Model("broken", broken, "llama"), Model("own", tmp_path, "package.module:Decoder")):
        found = fitted(EngineSettings(), model)
        assert (found.engine.context, found.engine.slots) == (8192, 8)
        assert found.chosen == ""
        assert found.fits, "the process that loads it says what is wrong"


def test_an_adapter_takes_its_memory_too(tmp_path: Path) -> None:
    path, adapter = tiny_model(tmp_path), tiny_adapter(tmp_path / "diary.gguf")
    plain = fitted(EngineSettings(), Model("tiny", path, "llama"))
    both = fitted(EngineSettings(), Model("tiny+diary", path, "llama", {"adapter": adapter}))
    assert both.needed - plain.needed == sum(tensor.bytes for tensor in GgufHeader.of_file(adapter).tensors)
