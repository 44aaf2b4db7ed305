"""Whether two models have the same tokens, without which one cannot draft for the other.

The rules are llama.cpp's own for speculative decoding (``common/speculative.cpp``): the same kind of tokenizer, the
same token in front of a text and behind it, and the same texts, but for the first few tokens, which are marks, and for
a few unused ones at the end.
"""

from __future__ import annotations

import struct
from pathlib import Path

from vaultbridge.catalog.gguf_header import GgufHeader, texts_of

_MARKS = 5
_MOST_UNUSED = 128
_TOKENS = "tokenizer.ggml.tokens"


def difference(one: Path, other: Path) -> str:
    """In what the tokens of two GGUF files differ, in words that follow on "their"; empty if they are the same.

    Raises ModelInvalid for a file that cannot be read.
    """
    first, second = GgufHeader.of_file(one), GgufHeader.of_file(other)
    kinds = [header.metadata.get("tokenizer.ggml.model") for header in (first, second)]
    if kinds[0] != kinds[1]:
        return f"tokenizers are of two kinds, {kinds[0]} and {kinds[1]}"
    for mark, where in (("bos", "beginnings"), ("eos", "ends")):
        if None not in (added := [_added(header, mark) for header in (first, second)]) and added[0] != added[1]:
            return f"texts have different {where}"
    (count, texts), (other_count, other_texts) = texts_of(one, _TOKENS), texts_of(other, _TOKENS)
    if abs(count - other_count) > _MOST_UNUSED or not count or not other_count:
        return f"vocabularies have {count:,} and {other_count:,} tokens"
    short, long = sorted((_behind_marks(texts), _behind_marks(other_texts)), key=len)
    return "" if long.startswith(short) else "tokens are not the same"


def _added(header: GgufHeader, mark: str) -> int | None:
    """The token that is put at the beginning or the end of texts, -1: none; None if the file does not say."""
    wanted = header.metadata.get(f"tokenizer.ggml.add_{mark}_token")
    if wanted is None:
        return None
    return int(header.metadata.get(f"tokenizer.ggml.{mark}_token_id", -1)) if wanted else -1


def _behind_marks(texts: bytes) -> bytes:
    at = 0
    for _ in range(_MARKS):
        if at < len(texts):
            at += 8 + struct.unpack_from("<Q", texts, at)[0]
    return texts[at:]
