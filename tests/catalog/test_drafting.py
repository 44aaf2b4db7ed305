"""Which model may draft for which: they must have the same tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab.tiny import TINY, tiny_model
from tests.live.starters import starter
from vaultbridge.catalog.drafting import drafting
from vaultbridge.catalog.fitting import Wish
from vaultbridge.catalog.folder import ModelFolder
from vaultbridge.catalog.supply import Model, Supply
from vaultbridge.catalog.vocabulary import difference
from vaultbridge.core.errors import ConfigError, ModelInvalid, ModelMissing
from vaultbridge.lab.random_model import write_random_model

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A model of random weights; ``edit`` changes its file's bytes without moving any."""

    def made(name: str, vocabulary: int = 512, edit: tuple[bytes, bytes] = (b"", b""), layers: int = 2) -> Path:
        path = tmp_path / f"{name}.gguf"
        write_random_model(path, replace(TINY, layers=layers, vocabulary=vocabulary), "q8_0")
        data = path.read_bytes()
        assert edit[0] in data
        path.write_bytes(data.replace(*edit, 1) if edit[0] else data)
        return path

    return made


@pytest.fixture
def supply(tmp_path: Path) -> Supply:
    return Supply(folder=ModelFolder(tmp_path / "models"))


def test_models_of_one_family_have_the_same_tokens(make: Make) -> None:
    assert difference(make("large", layers=4), make("small")) == ""


def test_a_few_unused_tokens_at_the_end_do_not_matter_and_many_do(make: Make) -> None:
    assert difference(make("large", 640), make("small")) == difference(make("small"), make("large", 640)) == ""
    assert "641" in difference(make("larger", 641), make("small"))


@pytest.mark.parametrize(
    ("edit", "word"),
    [
        (("▁w100".encode(), "▁w999".encode()), "tokens"),
        ((b"<0x41>", b"<0x00>"), "tokens"),
        ((b"ggml.model\x08\0\0\0\x05\0\0\0\0\0\0\0llama", b"ggml.model\x08\0\0\0\x05\0\0\0\0\0\0\0gpt-2"), "kinds"),
    ],
    ids=["another word", "another byte", "another tokenizer"],
)
def test_one_other_token_is_one_too_many(make: Make, edit: tuple[bytes, bytes], word: str) -> None:
    assert word in difference(make("large"), make("small", edit=edit))


def test_how_the_first_marks_are_written_does_not_matter(make: Make) -> None:
    assert difference(make("large"), make("small", edit=(b"<unk>", b"<UNK>"))) == ""


def test_the_starters_cannot_draft_for_each_other(supply: Supply) -> None:
    smollm, gemma = starter("smollm2-135m-instruct"), starter("gemma-3-270m")
    assert difference(smollm, smollm) == difference(gemma, gemma) == ""
    with pytest.raises(ConfigError, match=r"cannot draft for smollm2: their tokenizers are of two kinds"):
        drafting(str(gemma), Model("smollm2", smollm, "llama"), supply, Wish())


def test_what_drafts_has_a_size_of_its_own(make: Make, supply: Supply) -> None:
    small, large = make("small"), Model("large", make("large", layers=4), "llama")
    found = drafting(str(small), large, supply, Wish())
    assert found is not None
    assert found.model.path == small
    cache = 2 * 2048 * 2 * 2 * 64 * 2  # layers, tokens, keys and values, groups, width, f16
    assert found.needed > small.stat().st_size + cache - 100_000
    smaller = drafting(str(small), large, supply, Wish(cache_type="q8_0"))
    assert smaller is not None
    assert smaller.needed < found.needed


def test_no_model_drafts_for_itself(make: Make, supply: Supply) -> None:
    path = make("large")
    assert drafting(str(path), Model("large", path, "llama"), supply, Wish()) is None


def test_what_is_no_model_here_is_said(make: Make, supply: Supply, tmp_path: Path) -> None:
    large = Model("large", make("large"), "llama")
    with pytest.raises(ModelMissing):
        drafting(str(tmp_path / "gone.gguf"), large, supply, Wish())
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(40))
    with pytest.raises(ModelInvalid, match="broken"):
        drafting(str(broken), large, supply, Wish())
    with pytest.raises(ConfigError, match="only GGUF models"):
        drafting(str(tiny_model(tmp_path)), replace(large, backend="package.module:Decoder"), supply, Wish())
