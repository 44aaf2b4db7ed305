"""Which of a repository's files make up the model that was asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from vaultbridge.catalog.parts import PART
from vaultbridge.core.errors import ModelMissing
from vaultbridge.core.ports import RemoteFile

_PREFERRED = ("q4_0", "q4_k_m", "q4_k_s", "q5_k_m", "q8_0", "bf16", "f16")
"""Without a wish: small and good first; ``q4_0`` leads because Gemma's is trained for it."""
_OTHER_FRAMEWORKS = (".onnx", ".msgpack", ".h5", ".ot", ".tflite", ".mlmodel", ".gguf", ".bin.index.json")
_NOT_NEEDED = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".pdf", ".gitattributes", ".md", ".zip")
_MOST_OFFERED = 12


def stem(path: str) -> str:
    """A GGUF file's name without its ending, and without which part it is."""
    name = PurePosixPath(path).name
    return PART.sub("", name) if PART.search(name) else name.removesuffix(".gguf")


def is_weights(path: str) -> bool:
    """Whether a GGUF file is a language model, and not the eyes or the draft head of one."""
    name = PurePosixPath(path).name.lower()
    return name.endswith(".gguf") and not name.startswith(("mmproj", "mtp-")) and "-mmproj" not in name


def select(repo: str, files: Iterable[RemoteFile], wanted: str) -> list[RemoteFile]:
    """All parts of the GGUF file that ``wanted`` names, by its name or quantization; without a wish the preferred one.

    A repository without GGUF files is taken as a folder. Raises ModelMissing, naming what there is.
    """
    by_path = {file.path: file for file in files}
    weights = sorted(path for path in by_path if is_weights(path))
    if not weights and not wanted:
        return _folder(repo, by_path)
    models: dict[str, list[str]] = {}
    for path in weights:
        models.setdefault(str(PurePosixPath(path).parent / stem(path)), []).append(path)
    chosen = _choose(models, wanted)
    if chosen is None:
        offered = sorted({PurePosixPath(model).name for model in models})
        more = f" and {len(offered) - _MOST_OFFERED} more" if len(offered) > _MOST_OFFERED else ""
        there = f"It has: {', '.join(offered[:_MOST_OFFERED])}{more}." if offered else "It has no GGUF file."
        raise ModelMissing(f"{repo} has no {wanted or 'model that can be chosen for you'}.", there)
    parts = models[chosen]
    if (part := PART.search(parts[0])) and len(parts) != int(part[2]):
        raise ModelMissing(f"{repo} has {len(parts)} of the {int(part[2])} parts of {chosen}.", "Choose another file.")
    return [by_path[path] for path in parts]


def _choose(models: dict[str, list[str]], wanted: str) -> str | None:
    """The model of that file name or quantization, or the preferred one."""
    for model, parts in models.items():
        if wanted and (wanted in parts or wanted in (model, PurePosixPath(model).name)):
            return model
    for quant in (wanted.lower(),) if wanted else _PREFERRED:
        of_it = [model for model in models if _is_quant(model, quant)]
        if of_it:
            return min(of_it, key=len)
    return next(iter(models)) if len(models) == 1 and not wanted else None


def _is_quant(model: str, quant: str) -> bool:
    return re.search(rf"(^|[-._/]){re.escape(quant)}($|/)", model.lower()) is not None


def _folder(repo: str, by_path: dict[str, RemoteFile]) -> list[RemoteFile]:
    """A repository of safetensors (or else PyTorch) files and what describes them."""
    if "config.json" not in by_path:
        raise ModelMissing(f"{repo} holds no model that runs here.", "It needs a .gguf file, or a config.json.")
    safe = any(path.endswith(".safetensors") for path in by_path)
    unwanted = (*_OTHER_FRAMEWORKS, *_NOT_NEEDED, *(("pytorch_model.bin",) if safe else ()))
    return [
        file
        for path, file in by_path.items()
        if not path.endswith(unwanted) and not path.startswith(("onnx/", "openvino/", "imgs/", ".", "assets/"))
    ]
