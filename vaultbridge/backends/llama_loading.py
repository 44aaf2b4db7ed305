"""From a GGUF file to a llama.cpp model and its context, with the library's own reason if that fails."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import llama_cpp

from vaultbridge.backends.llama_devices import features, may_reorder
from vaultbridge.core.errors import ModelInvalid

_LOG_ERROR = 4
_LOAD_MODES: Mapping[tuple[bool, bool], int] = {
    (False, False): llama_cpp.LLAMA_LOAD_MODE_NONE,
    (True, False): llama_cpp.LLAMA_LOAD_MODE_MMAP,
    (False, True): llama_cpp.LLAMA_LOAD_MODE_MLOCK,
    (True, True): llama_cpp.LLAMA_LOAD_MODE_MMAP_MLOCK,
}
"""By what is asked for: mmap, mlock."""


def load_model(path: Path, *, gpu_layers: int = -1, mmap: bool = True, mlock: bool = False) -> Any:
    """The model's handle. Raises ModelInvalid."""
    llama_cpp.llama_backend_init()
    params = llama_cpp.llama_model_default_params()
    params.n_gpu_layers = gpu_layers if gpu_layers >= 0 else 999
    params.load_mode = _LOAD_MODES[mmap, mlock]
    params.use_extra_bufts = may_reorder(features())
    with listening() as complaints:
        model = llama_cpp.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        raise ModelInvalid(
            f"llama.cpp cannot load {path.name}{why(complaints)}.", "Fetch the file again, or choose another."
        )
    return model


def open_context(model: Any, params: Any, path: Path, hint: str) -> Any:
    """A context on ``model``, which is freed if there is none. Raises ModelInvalid with the ``hint``."""
    with listening() as complaints:
        context = llama_cpp.llama_init_from_model(model, params)
    if not context:
        llama_cpp.llama_model_free(model)
        raise ModelInvalid(
            f"{path.name} was loaded, but no cache of {params.n_ctx} tokens fits{why(complaints)}.", hint
        )
    return context


def metadata(model: Any, key: str) -> str:
    """A text in the model's metadata; empty if there is none."""
    buffer = ctypes.create_string_buffer(256)
    length = llama_cpp.llama_model_meta_val_str(model, key.encode(), buffer, len(buffer))
    return buffer.value.decode(errors="replace") if length > 0 else ""


def why(complaints: list[str]) -> str:
    """The cause, in brackets, if one was heard."""
    return f" ({complaints[0]})" if complaints else ""


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _silent(level: int, text: bytes, _: ctypes.c_void_p) -> None:
    """The library logs to standard error unless it is told otherwise."""


@contextmanager
def listening() -> Iterator[list[str]]:
    """What the library complains of meanwhile: it says why it refuses a file only in its log, the cause first."""
    complaints: list[str] = []

    @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
    def keep(level: int, text: bytes, _: ctypes.c_void_p) -> None:
        if level == _LOG_ERROR:
            complaints.append(text.decode(errors="replace").strip())

    llama_cpp.llama_log_set(keep, ctypes.c_void_p(0))
    try:
        yield complaints
    finally:
        llama_cpp.llama_log_set(_silent, ctypes.c_void_p(0))
