"""How a model's file is loaded: mapped into memory, or read into it."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.lab.tiny import tiny_model
from vaultbridge.backends.llama import LlamaDecoder


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells what is mapped in /proc, which is Linux's")
@pytest.mark.parametrize("mmap", [True, False])
def test_a_file_is_mapped_only_if_that_is_asked_for(tmp_path: Path, mmap: bool) -> None:
    path = tiny_model(tmp_path)
    with closing(LlamaDecoder(path, "tiny", 256, slots=1, threads=1, mmap=mmap)):
        assert (str(path) in Path("/proc/self/maps").read_text()) is mmap
