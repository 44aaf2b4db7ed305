"""What llama.cpp, as it is built here, can run on."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import llama_cpp
from llama_cpp._ctypes_extensions import load_shared_library
from llama_cpp._ggml import libggml, libggml_base_path

from vaultbridge.backends.cores import physical_cores
from vaultbridge.core.machine import Device, LlamaBuild

_KINDS: Sequence[Literal["cpu", "gpu", "integrated", "accelerator"]] = ("cpu", "gpu", "integrated", "accelerator")
_ON = re.compile(r"(\w+) = 1\b")
_SYSTEM = re.compile(r"(\w+) : ")
_ANY_CPU = frozenset({"q4_0", "q4_k", "iq4_nl", "mxfp4"})
_WIDE_X86 = frozenset({"q2_k"})
_ARM = frozenset({"q5_k", "q6_k", "q8_0"})


def devices() -> tuple[str, ...]:
    """``cpu``, and ``gpu`` if there is one that this build can use."""
    return ("cpu", "gpu") if llama_cpp.llama_supports_gpu_offload() else ("cpu",)


def build() -> LlamaBuild:
    """All that it says of itself and of this computer."""
    llama_cpp.llama_backend_init()
    has = features()
    return LlamaBuild(
        version=llama_cpp.__version__,
        features=has,
        devices=tuple(_devices()),
        threads=physical_cores(),
        repacked=repacked(has),
    )


def features() -> tuple[str, ...]:
    """What it was compiled for, as far as this computer has it, too."""
    info = llama_cpp.llama_print_system_info().decode()
    return (*(name for name in _SYSTEM.findall(info) if name != "CPU"), *_ON.findall(info))


def may_reorder(features: Sequence[str]) -> bool:
    """Whether weights may be copied into the order that a CPU with these features is fastest with.

    Not if it has AMX. For that llama.cpp has kernels that crash in their first step: compilers drop the half of the
    tile configuration that they do not see being read (ggml-org/llama.cpp, issue 20824 and pull request 26954).
    """
    return "AMX_INT8" not in features


def repacked(features: Sequence[str]) -> frozenset[str]:
    """The types of weights that the kernels of a CPU with these features want in another order (ggml-cpu's repack)."""
    if "REPACK" not in features or not may_reorder(features):
        return frozenset()
    if "AVX2" in features:
        return _ANY_CPU | (_WIDE_X86 if "AVX512" in features else frozenset())
    return _ANY_CPU | _ARM if {"DOTPROD", "MATMUL_INT8"} & set(features) else frozenset()


def _devices() -> Iterator[Device]:
    """Through ggml itself: llama-cpp-python binds none of these functions."""
    libraries = (libggml, load_shared_library("ggml-base", libggml_base_path))

    def function(name: str, result: type | None, *arguments: type) -> Any:
        name = f"ggml_backend_dev_{name}"
        found = next(getattr(library, name) for library in libraries if hasattr(library, name))
        found.restype, found.argtypes = result, arguments
        return found

    size = ctypes.POINTER(ctypes.c_size_t)
    count = function("count", ctypes.c_size_t)
    get = function("get", ctypes.c_void_p, ctypes.c_size_t)
    name, description = (function(which, ctypes.c_char_p, ctypes.c_void_p) for which in ("name", "description"))
    kind = function("type", ctypes.c_int, ctypes.c_void_p)
    memory = function("memory", None, ctypes.c_void_p, size, size)
    for at in range(count()):
        device, free, total = get(at), ctypes.c_size_t(), ctypes.c_size_t()
        memory(device, ctypes.byref(free), ctypes.byref(total))
        which = _KINDS[min(kind(device), len(_KINDS) - 1)]
        yield Device(name(device).decode(), description(device).decode(), which, total.value, free.value)
