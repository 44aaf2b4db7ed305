"""A llama.cpp model's vocabulary: texts to tokens, and which tokens are marks."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from typing import Any

import llama_cpp

from vaultbridge.backends.replies.styles import MARKS
from vaultbridge.core.errors import DecodeFailed

_MARK = re.compile(r"<[^\s<>]{1,40}>|\[/?[A-Z_]+\]")
# Never a tag of HTML, which Gemma has tokens for, too.
_NO_TAG = re.compile(r"<[^\s<>]*[|_｜▁][^\s<>]*>|\[[A-Za-z_]+\]")
_HIDDEN = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN


class LlamaVocabulary:
    """``template`` is the source of the model's chat template: the marks of its format are those that stand in it."""

    def __init__(self, handle: Any, template: str = "") -> None:
        self._handle = handle
        self._bos = int(llama_cpp.llama_vocab_bos(handle))
        self._shown: dict[int, bytes] = {}
        written = set(_MARK.findall(template))
        for mark in written & set(MARKS):
            tokens = self._read(mark, special=True)
            if len(tokens) == 1 and llama_cpp.llama_vocab_get_attr(handle, tokens[0]) & _HIDDEN:
                self._shown[tokens[0]] = mark.encode()
        broken = [re.escape(text) for text in self._own_texts() if text in written or _NO_TAG.fullmatch(text)]
        self._broken = re.compile("|".join(broken)) if broken else None

    def _own_texts(self) -> Iterator[str]:
        """The texts of all tokens that llama.cpp finds in any text, whatever it is told."""
        for token in range(self.size):
            kind = llama_cpp.llama_vocab_get_attr(self._handle, token)
            if kind & llama_cpp.LLAMA_TOKEN_ATTR_USER_DEFINED and not kind & _HIDDEN:
                yield self._piece(token, special=True).decode(errors="replace")

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return int(llama_cpp.llama_vocab_n_tokens(self._handle))

    @property
    def middle(self) -> tuple[int, int, int] | None:
        """The tokens in front of a text, of what follows a gap and of what fills it; None if there are none."""
        tokens = (
            int(llama_cpp.llama_vocab_fim_pre(self._handle)),
            int(llama_cpp.llama_vocab_fim_suf(self._handle)),
            int(llama_cpp.llama_vocab_fim_mid(self._handle)),
        )
        return tokens if min(tokens) >= 0 else None

    def name(self, which: str) -> str:
        """How the ``bos`` or the ``eos`` token is written; empty if there is none."""
        token = int(getattr(llama_cpp, f"llama_vocab_{which}")(self._handle))
        return self._piece(token, special=True).decode(errors="replace") if token >= 0 else ""

    def tokenize(self, text: str, *, special: bool = False) -> list[int]:
        """A text's tokens; without ``special`` none of them is a mark.

        llama.cpp leaves control tokens alone then, but not those that are user-defined: their texts are cut in two.
        """
        if special or self._broken is None:
            return self._read(text, special=special)
        tokens: list[int] = []
        at = 0
        for mark in self._broken.finditer(text):
            tokens += self._read(text[at : mark.start() + 1], special=False)
            at = mark.start() + 1
        return tokens + self._read(text[at:], special=False)

    def begun(self, tokens: list[int]) -> list[int]:
        """With the token in front that the model wants at the beginning, if it wants one."""
        wanted = llama_cpp.llama_vocab_get_add_bos(self._handle) and tokens[:1] != [self._bos]
        return [self._bos, *tokens] if wanted else tokens

    @property
    def frame(self) -> tuple[list[int], list[int]]:
        """The tokens that the model wants in front of a text and behind it, as many as it wants."""
        plain, framed = self._read("a", special=False), self._read("a", special=False, framed=True)
        starts = [at for at in range(len(framed)) if framed[at : at + len(plain)] == plain]
        return (framed[: starts[0]], framed[starts[0] + len(plain) :]) if plain and starts else ([], [])

    @property
    def separators(self) -> tuple[list[int], list[int], list[int]]:
        """What begins, ends and separates two texts that are read together; empty where the model wants none."""

        def wanted(which: str, *fallback: str) -> list[int]:
            if not getattr(llama_cpp, f"llama_vocab_get_add_{which}")(self._handle):
                return []
            found = (int(getattr(llama_cpp, f"llama_vocab_{name}")(self._handle)) for name in (which, *fallback))
            return [token for token in found if token >= 0][:1]

        return wanted("bos"), wanted("eos", "sep"), wanted("sep")

    def token_bytes(self, token: int) -> bytes:
        """The bytes that a token stands for; of control tokens, only the marks of replies stand for any."""
        return self._shown.get(token) or self._piece(token, special=False)

    def is_end(self, token: int) -> bool:
        """Whether a token ends generation (end of text, end of turn)."""
        return bool(llama_cpp.llama_vocab_is_eog(self._handle, token))

    def _read(self, text: str, *, special: bool, framed: bool = False) -> list[int]:
        data = text.encode()
        room = len(data) + 8  # never more tokens than bytes, but for what a vocabulary adds in front
        buffer = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self._handle, data, len(data), buffer, room, framed, special)
        if count < 0:
            raise DecodeFailed(f"llama.cpp could not tokenize a text of {len(data)} bytes.")
        return list(buffer[:count])

    def _piece(self, token: int, *, special: bool) -> bytes:
        buffer = ctypes.create_string_buffer(64)
        length = llama_cpp.llama_token_to_piece(self._handle, token, buffer, len(buffer), 0, special)
        if length < 0:
            buffer = ctypes.create_string_buffer(-length)
            length = llama_cpp.llama_token_to_piece(self._handle, token, buffer, len(buffer), 0, special)
        return buffer.raw[:length]
