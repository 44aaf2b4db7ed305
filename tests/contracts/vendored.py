"""Files of llama.cpp's own that ship inside llama-cpp-python's source: read from there, never copied.

``LLAMA_CPP_MODELS`` names the folder ``vendor/llama.cpp/models`` of an unpacked source distribution:
``pip download --no-binary llama-cpp-python --no-deps llama-cpp-python==VERSION``, then ``tar xf``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

VARIABLE = "LLAMA_CPP_MODELS"


def vendored_models() -> Path | None:
    """The folder, if it is here."""
    folder = Path(os.environ.get(VARIABLE, ""))
    return folder if VARIABLE in os.environ and folder.is_dir() else None


def vendored(name: str) -> Path:
    """One of its files; skips the test, saying why, where there is none."""
    folder = vendored_models()
    if folder is None:
        pytest.skip(f"{VARIABLE} does not name vendor/llama.cpp/models of llama-cpp-python's source")
    path = folder / name
    if not path.is_file():
        pytest.skip(f"this version of llama-cpp-python ships no {name}")
    return path
