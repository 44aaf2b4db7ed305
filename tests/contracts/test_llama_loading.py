"""How a model's file is loaded: mapped into memory, or read into it."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.lab.tiny import split, tiny_model
from vaultbridge.backends.llama import LlamaDecoder
from vaultbridge.core.dialogue import Sampling
from vaultbridge.core.ports import Segment


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells what is mapped in /proc, which is Linux's")
@pytest.mark.parametrize("mmap", [True, False])
def test_a_file_is_mapped_only_if_that_is_asked_for(tmp_path: Path, mmap: bool) -> None:
    path = tiny_model(tmp_path)
    with closing(LlamaDecoder(path, "tiny", 256, slots=1, threads=1, mmap=mmap)):
        assert (str(path) in Path("/proc/self/maps").read_text()) is mmap


def test_a_model_in_parts_computes_what_the_whole_one_does(tmp_path: Path) -> None:
    whole = tiny_model(tmp_path)
    (tmp_path / "parts").mkdir()
    told = []
    for path in (whole, split(whole, tmp_path / "parts", 3)[0]):
        with closing(LlamaDecoder(path, "tiny", 256, slots=1, threads=1)) as decoder:
            decoder.decode([Segment(0, 0, [1, 300, 301], outputs=1)])
            with closing(decoder.sampler(Sampling(logprobs=5))) as sampler:
                told.append(sampler.logprob(2, 300))
    assert told[0] == told[1]
