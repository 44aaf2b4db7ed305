"""The measurement of a large vault, on a small one."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from vaultbridge.lab.invented import CHUNKS_A_NOTE, POSTINGS, Invention
from vaultbridge.lab.scale import measure


async def test_every_figure_is_there_and_an_index_that_was_kept_is_used_again(tmp_path: Path) -> None:
    for _ in range(2):
        counted, *timed, memory = await measure(tmp_path, 40, 16, 3, seed=1)
        assert counted.startswith("40 chunks of 16 dimensions")
        assert [line.partition(":")[0] for line in timed] == [
            "keyword", "dense", "sparse", "hybrid", "hybrid, while notes are saved"
        ]  # fmt: skip
        for line in timed:
            p50, p95 = (float(found) for found in re.findall(r"([\d.]+) ms", line)[:2])
            assert 0 < p50 <= p95
        assert re.fullmatch(r"memory \d+ MiB, of which \d+ MiB before the index was opened; index \d+ MiB", memory)


def test_invented_notes_are_like_real_ones() -> None:
    invention = Invention(32, seed=3)
    notes = [invention.note(number) for number in range(60)]
    chunks = [chunk for note in notes for chunk in note.chunks or ()]
    assert len(chunks) == 60 * CHUNKS_A_NOTE
    assert len({chunk.digest for chunk in chunks}) == len(chunks)
    words = [word for chunk in chunks for word in chunk.text.split()]
    assert words.count("the") > len(words) / 50
    assert any("\u4e00" <= letter <= "\u9fff" for chunk in chunks for letter in chunk.text)
    embeddings = invention.embeddings(200, "document")
    dense = np.stack([embedding.dense for embedding in embeddings])
    np.testing.assert_allclose(np.linalg.norm(dense, axis=1), 1, atol=1e-5)
    cosines = (dense @ dense.T)[np.triu_indices(200, 1)]
    assert cosines.max() > cosines.mean() + 3 * cosines.std()
    assert all(len(embedding.sparse or ()) <= POSTINGS for embedding in embeddings)
