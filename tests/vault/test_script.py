"""Which scripts a vault is written in."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from vaultbridge.vault.files import Vault
from vaultbridge.vault.script import has_cjk


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.md", "Only Latin, émoji 😀 и кириллица".encode(), False),
        ("a.md", "Some text, then 漢字".encode(), True),
        ("a.canvas", '{"nodes": [{"type": "text", "text": "한국어"}]}'.encode(), True),
        ("a.txt", "日本語".encode(), True),
        ("a.txt", b"x" * 4_000 + "日本語".encode(), False),
        # Compressed bytes hold every script by chance.
        ("a.pdf", b"%PDF-1.7\n" + "語".encode() + random.Random(1).randbytes(9_000), False),
        ("a.png", "日本語".encode(), False),
    ],
)
def test_chinese_japanese_and_korean_are_seen_in_text(tmp_path: Path, name: str, content: bytes, found: bool) -> None:
    (tmp_path / name).write_bytes(content)
    assert has_cjk(Vault(tmp_path)) == found
