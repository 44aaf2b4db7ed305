"""What a GGUF file says of itself: its metadata and its table of tensors, without any weight.

The ``gguf`` package's reader makes an object of every token: seventeen seconds for Gemma's vocabulary. Here texts in
arrays are stepped over. Format: ggml's ``docs/gguf.md``, versions 2 and 3.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFValueType

from vaultbridge.catalog.parts import check_parts, parts_of
from vaultbridge.core.errors import ModelInvalid

_ARRAY = "<IIQ"
"""What stands before the values of an array: that it is one, their type and their number."""
_AGAIN = "Fetch it again, or choose another file."
_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_MOST_KEYS = 1000
_MOST_TENSORS = 100_000
_MOST_DIMENSIONS = 4
_MOST_ITEMS = 1 << 24
_SCALARS: Mapping[int, str] = {
    GGUFValueType.UINT8: "B",
    GGUFValueType.INT8: "b",
    GGUFValueType.UINT16: "H",
    GGUFValueType.INT16: "h",
    GGUFValueType.UINT32: "I",
    GGUFValueType.INT32: "i",
    GGUFValueType.FLOAT32: "f",
    GGUFValueType.BOOL: "?",
    GGUFValueType.UINT64: "Q",
    GGUFValueType.INT64: "q",
    GGUFValueType.FLOAT64: "d",
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor: ``shape`` in ggml's order (the length of a row first), ``type`` as ggml names it (``q8_0``)."""

    name: str
    shape: tuple[int, ...]
    type: str

    @property
    def elements(self) -> int:
        """How many weights it has."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        block, size = GGML_QUANT_SIZES[GGMLQuantizationType[self.type.upper()]]
        return self.elements // block * size


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """Metadata (arrays of texts left out) and tensors of one file."""

    metadata: Mapping[str, Any]
    tensors: tuple[Tensor, ...]

    @classmethod
    def of_file(cls, path: Path) -> GgufHeader:
        """Read the header of one file, which may be a part of a model.

        Raises ModelInvalid for what is no GGUF file, or does not hold all the weights that it names.
        """
        with _opened(path) as cursor:
            return cursor.header()

    @classmethod
    def read(cls, path: Path) -> GgufHeader:
        """Read a model's header: the first file's metadata, and the tensors of all parts if there are several.

        Raises ModelInvalid as ``of_file``, for another part than the first, and for parts that do not make a whole.
        """
        header = cls.of_file(path)
        count, number, total = (header.metadata.get(f"split.{key}", 0) for key in ("count", "no", "tensors.count"))
        if not all(isinstance(figure, int) for figure in (count, number, total)):
            raise ModelInvalid(f"{path.name} does not say of how many parts it is one.", _AGAIN)
        if count <= 1:
            return header
        if number:
            raise ModelInvalid(f"{path.name} is part {number + 1} of {count}.", "Pass the first one.")
        check_parts(path)
        parts = parts_of(path)
        if len(parts) != count:
            raise ModelInvalid(
                f"{path.name} is the first of {count} parts and is not called so.",
                f"Name them NAME-00001-of-{count:05}.gguf and so on.",
            )
        tensors = [*header.tensors, *(tensor for part in parts[1:] for tensor in cls.of_file(part).tensors)]
        if total and len(tensors) != total:
            raise ModelInvalid(f"The parts of {path.name} hold {len(tensors)} of its {total} tensors.", _AGAIN)
        return cls(header.metadata, tuple(tensors))

    @property
    def architecture(self) -> str:
        """The family whose graph llama.cpp builds, which is also the prefix of its keys."""
        return str(self.metadata.get("general.architecture", ""))

    def get(self, key: str, default: Any = None) -> Any:
        """The value of one of the architecture's own keys."""
        return self.metadata.get(f"{self.architecture}.{key}", default)


def texts_of(path: Path, key: str) -> tuple[int, bytes]:
    """How many texts an array of the metadata has, and all of them as they stand in the file, each behind its length.

    None at all where there is no such array. Raises ModelInvalid for what is no GGUF file.
    """
    with _opened(path) as cursor:
        return cursor.texts(key)


@contextmanager
def _opened(path: Path) -> Iterator[_Cursor]:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield _Cursor(data)
    except (OSError, ValueError, struct.error, KeyError, OverflowError, MemoryError) as error:
        raise ModelInvalid(f"{path} cannot be read as a GGUF file ({error}).", _AGAIN) from error


class _Cursor:
    """Reads forward through a mapped file."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def header(self) -> GgufHeader:
        tensors, pairs = self._counts()
        metadata = {self._text(): self._value(self._scalar("I")) for _ in range(pairs)}
        header = GgufHeader(metadata, tuple(self._tensor() for _ in range(tensors)))
        if (missing := self._at + sum(tensor.bytes for tensor in header.tensors) - len(self._data)) > 0:
            raise ValueError(f"at least {missing} bytes of its weights are missing")
        return header

    def texts(self, key: str) -> tuple[int, bytes]:
        _, pairs = self._counts()
        for _ in range(pairs):
            name, at = self._text(), self._at
            self._value(self._scalar("I"))
            if name == key:
                kind, inner, count = struct.unpack_from(_ARRAY, self._data, at)
                texts = (kind, inner) == (GGUFValueType.ARRAY, GGUFValueType.STRING)
                return (count, self._data[at + struct.calcsize(_ARRAY) : self._at]) if texts else (0, b"")
        return 0, b""

    def _counts(self) -> tuple[int, int]:
        """Of tensors, and of metadata."""
        if self._data[:4] != _MAGIC:
            raise ValueError("it does not begin as one")
        self._at = 4
        version = self._scalar("I")
        if version not in _VERSIONS:
            raise ValueError(f"version {version}, where {_VERSIONS} are known")
        tensors, pairs = self._scalar("Q"), self._scalar("Q")
        if pairs > _MOST_KEYS or tensors > _MOST_TENSORS:
            raise ValueError(f"{pairs} keys and {tensors} tensors, more than any model has")
        return tensors, pairs

    def _scalar(self, code: str) -> Any:
        (value,) = struct.unpack_from(f"<{code}", self._data, self._at)
        self._at += struct.calcsize(code)
        return value

    def _text(self) -> str:
        length = self._scalar("Q")
        self._at += length
        return self._data[self._at - length : self._at].decode()

    def _value(self, kind: int) -> Any:
        if kind == GGUFValueType.STRING:
            return self._text()
        if kind != GGUFValueType.ARRAY:
            return self._scalar(_SCALARS[kind])
        kind, count = self._scalar("I"), self._scalar("Q")
        if count > _MOST_ITEMS:
            raise ValueError(f"a list of {count} values")
        if kind != GGUFValueType.STRING:
            values = struct.unpack_from(f"<{count}{_SCALARS[kind]}", self._data, self._at)
            self._at += struct.calcsize(f"<{count}{_SCALARS[kind]}")
            return values
        for _ in range(count):
            length = self._scalar("Q")
            self._at += length
        return None

    def _tensor(self) -> Tensor:
        name, dimensions = self._text(), self._scalar("I")
        if dimensions > _MOST_DIMENSIONS:
            raise ValueError(f"a tensor of {dimensions} dimensions")
        shape = tuple(self._scalar("Q") for _ in range(dimensions))
        type_, _offset = GGMLQuantizationType(self._scalar("I")), self._scalar("Q")
        return Tensor(name, shape, type_.name.lower())
