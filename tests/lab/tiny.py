"""Models of a megabyte that llama.cpp really runs."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from gguf import GGUFReader, GGUFWriter

from vaultbridge.lab.model_shape import Shape
from vaultbridge.lab.random_model import write_random_model

TINY = Shape("llama", 4, 256, 512, 4, 2, 64, 512, 2048)
SHAPES = {
    "llama": TINY,
    "untied": replace(TINY, tied=False),
    "gemma": replace(TINY, architecture="gemma"),
    "gemma2": replace(TINY, architecture="gemma2", window=64),
    "gemma3": replace(TINY, architecture="gemma3", layers=7, window=64),
    "qwen2": replace(TINY, architecture="qwen2"),
    "qwen3": replace(TINY, architecture="qwen3"),
    "qwen3moe": replace(TINY, architecture="qwen3moe", experts=8, used=2),
}


def tiny_model(folder: Path, shape: Shape = TINY, quant: str = "q8_0") -> Path:
    path = folder / f"{shape.architecture}-{quant}.gguf"
    write_random_model(path, shape, quant)
    return path


RANK = 4
ADAPTED = ("attn_q", "ffn_down")


def tiny_adapter(path: Path, shape: Shape = TINY, *, size: float = 1.0, kind: str = "adapter") -> Path:
    """A LoRA of random numbers, ``size`` great, for the model of that shape."""
    rng = np.random.default_rng(7)
    writer = GGUFWriter(path, shape.architecture)
    writer.add_type(kind)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(RANK))
    for name, (row, rows) in dict(shape.matrices()).items():
        if name.split(".")[-2] in ADAPTED:
            writer.add_tensor(f"{name}.lora_a", rng.normal(size=(RANK, row)).astype(np.float32))
            writer.add_tensor(f"{name}.lora_b", (size * rng.normal(size=(rows, RANK))).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def with_template(model: Path, template: str) -> Path:
    """The model with a chat template, in a file of the template's own: what stands behind it keeps its alignment."""
    key = b"tokenizer.chat_template"
    text = template.encode()
    text += b" " * (-(8 + len(key) + 4 + 8 + len(text)) % 32)
    pair = struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, len(text)) + text
    data = bytearray(model.read_bytes())
    struct.pack_into("<Q", data, 16, struct.unpack_from("<Q", data, 16)[0] + 1)
    data[24:24] = pair
    path = model.with_name(f"templated-{zlib.crc32(text)}.gguf")
    path.write_bytes(data)
    return path


def with_figure(model: Path, key: str, figure: int) -> bytes:
    """The model's file with another number in its metadata."""
    data = bytearray(model.read_bytes())
    at = data.index(key.encode()) + len(key) + 4
    struct.pack_into("<I", data, at, figure)
    return bytes(data)


def split(model: Path, folder: Path, count: int) -> list[Path]:
    """The model in several parts, as llama.cpp's gguf-split makes them: the first one has the metadata."""
    reader, data = GGUFReader(model), model.read_bytes()
    pairs = struct.unpack_from("<Q", data, 16)[0]
    metadata = data[24 : reader.tensors[0].field.offset]
    parts = []
    for number in range(count):
        tensors = reader.tensors[number::count]
        own = [("split.no", 2, "<H", number), ("split.count", 2, "<H", count)]
        own.append(("split.tensors.count", 5, "<i", len(reader.tensors)))
        head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(own) + (0 if number else pairs))
        head += b"" if number else metadata
        for key, kind, form, value in own:
            head += struct.pack("<Q", len(key)) + key.encode() + struct.pack("<I", kind) + struct.pack(form, value)
        body = b""
        for tensor in tensors:
            shape = tensor.shape.tolist()
            head += struct.pack("<Q", len(tensor.name)) + tensor.name.encode() + struct.pack("<I", len(shape))
            head += struct.pack(f"<{len(shape)}QIQ", *shape, tensor.tensor_type, len(body))
            body += tensor.data.tobytes()
            body += bytes(-len(body) % 32)
        path = folder / f"{model.stem}-{number + 1:05}-of-{count:05}.gguf"
        path.write_bytes(head + bytes(-len(head) % 32) + body)
        parts.append(path)
    return parts
