"""What every hub must give the catalogue, run on each that we speak with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import pytest

from tests.catalog.standin import Hub, digest, serving
from vaultbridge.backends.hub import HuggingFaceHub
from vaultbridge.backends.modelscope import ModelScope
from vaultbridge.catalog.transfer import describe
from vaultbridge.core.errors import DownloadFailed, ModelMissing
from vaultbridge.core.ports import ModelHub

FILES = {"model-Q4_0.gguf": b"GGUF and weights", "deep/ärger #1.json": b"{}"}
HUBS: dict[str, Callable[[str], ModelHub]] = {"huggingface": HuggingFaceHub, "modelscope": ModelScope}

each = pytest.mark.parametrize("make", HUBS.values(), ids=HUBS)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving(Hub({"owner/model": FILES})) as hub:
        yield hub


@each
def test_a_repository_lists_its_files_with_what_they_must_turn_out_to_be(
    hub: Hub, make: Callable[[str], ModelHub]
) -> None:
    files = {file.path: file for file in make(hub.endpoint).repository("owner/model", "").files}
    assert set(files) == set(FILES)
    for path, data in FILES.items():
        git = hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()
        assert files[path].size == len(data)
        assert files[path].sha256 == digest(data) or files[path].git_blob == git
        assert describe(files[path]).size == len(data), "it can be fetched"


@each
def test_a_repository_that_is_not_there(hub: Hub, make: Callable[[str], ModelHub]) -> None:
    with pytest.raises(ModelMissing, match="no repository nobody/nothing") as caught:
        make(hub.endpoint).repository("nobody/nothing", "")
    assert caught.value.hint


@each
def test_a_hub_that_cannot_be_reached(make: Callable[[str], ModelHub]) -> None:
    with pytest.raises(DownloadFailed) as caught:
        make("http://127.0.0.1:9").repository("owner/model", "")
    assert caught.value.hint
