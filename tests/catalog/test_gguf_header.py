"""The header reader: what the gguf package's own reader finds, and refusals that say what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from gguf import GGUFReader, GGUFWriter

from tests.lab.tiny import SHAPES, tiny_model
from vaultbridge.catalog.gguf_header import GgufHeader
from vaultbridge.core.errors import ModelInvalid
from vaultbridge.lab.random_model import QUANTS


@pytest.mark.parametrize("quant", QUANTS)
def test_tensors_are_those_that_the_gguf_package_finds(tmp_path: Path, quant: str) -> None:
    path = tiny_model(tmp_path, SHAPES["qwen3moe"], quant)
    header = GgufHeader.read(path)
    theirs = GGUFReader(path)
    ours = [(tensor.name, list(tensor.shape), tensor.type, tensor.elements, tensor.bytes) for tensor in header.tensors]
    assert ours == [
        (tensor.name, tensor.shape.tolist(), tensor.tensor_type.name.lower(), tensor.n_elements, tensor.n_bytes)
        for tensor in theirs.tensors
    ]


def test_metadata_of_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "kinds.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_string("text", "日本")
    writer.add_array("texts", ["one", "", "three"])
    writer.add_array("numbers", [1, 2, 3])
    writer.add_array("flags", [True, False])
    writer.add_float64("double", 0.1)
    writer.add_int8("byte", -3)
    writer.add_uint64("long", 1 << 40)
    writer.add_bool("flag", True)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    metadata = GgufHeader.read(path).metadata
    assert {key: metadata[key] for key in ("text", "numbers", "flags", "double", "byte", "long", "flag")} == {
        "text": "日本",
        "numbers": (1, 2, 3),
        "flags": (True, False),
        "double": 0.1,
        "byte": -3,
        "long": 1 << 40,
        "flag": True,
    }
    assert metadata["texts"] is None, "stepped over"


@pytest.mark.parametrize("length", [0, 3, 12, 30, 300])
def test_a_file_that_ends_too_early_is_refused(tmp_path: Path, length: int) -> None:
    whole = tiny_model(tmp_path)
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(whole.read_bytes()[:length])
    with pytest.raises(ModelInvalid, match=r"broken\.gguf cannot be read"):
        GgufHeader.read(broken)


def test_what_is_no_gguf_file_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.gguf"
    text.write_text("this is no model, but long enough to hold a header")
    for path in (text, tmp_path, tmp_path / "none.gguf"):
        with pytest.raises(ModelInvalid):
            GgufHeader.read(path)
