"""Models of a megabyte that llama.cpp really runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

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
