"""Models that other programs have fetched: found where they lie, used there, never copied or deleted."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from vaultbridge.catalog.catalog import Entry, HubSource, this_platform
from vaultbridge.catalog.local import LocalModel
from vaultbridge.catalog.parts import size_of
from vaultbridge.catalog.selection import is_weights, stem

_OLLAMA_MODEL = "application/vnd.ollama.image.model"
_OLLAMA_HOST = "registry.ollama.ai"
_HUB_CACHE = "the Hugging Face cache"
_MAGIC = b"GGUF"


class Elsewhere:
    """What is kept for the user whose ``home`` and ``environment`` these are, by default the one who asks.

    The disk is looked at once, when something is first asked.
    """

    def __init__(self, home: Path | None = None, environment: Mapping[str, str] = os.environ) -> None:
        self._home, self._environment = home or Path.home(), environment

    @cached_property
    def models(self) -> list[LocalModel]:
        """The GGUF models of LM Studio, Ollama, GPT4All and the Hugging Face cache; of two of one name the first."""
        models = (
            *_lm_studio(self._home),
            *_ollama(self._home, self._environment),
            *_gpt4all(self._home, self._environment),
            *_hugging_face(self._cache),
        )
        return list({model.name: model for model in reversed(models)}.values())[::-1]

    def of(self, entry: Entry) -> LocalModel | None:
        """A model of the catalogue's that somebody else has fetched, under its name."""
        if entry.is_gguf:
            wanted = [Path(name).name for name in entry.file_names(this_platform())]
            model = next((model for model in self.models if [model.path.name] == wanted), None)
            return replace(model, name=entry.name) if model else None
        if not isinstance(entry.source, HubSource):
            return None
        for folder in _children(self._cache, f"models--{entry.source.repo.replace('/', '--')}/snapshots/*"):
            files = [folder / name for name in entry.source.files]
            if all(file.is_file() for file in files):
                size = sum(file.stat().st_size for file in files)
                return LocalModel(entry.name, folder, size, _HUB_CACHE, entry.role, entry.licence)
        return None

    @property
    def _cache(self) -> Path:
        """Where Hugging Face's own tools keep what they fetched."""
        told = self._environment
        if place := told.get("HF_HUB_CACHE") or told.get("HUGGINGFACE_HUB_CACHE"):
            return Path(place).expanduser()
        root = told.get("HF_HOME") or Path(told.get("XDG_CACHE_HOME") or self._home / ".cache") / "huggingface"
        return Path(root).expanduser() / "hub"


def _lm_studio(home: Path) -> Iterator[LocalModel]:
    places = [home / ".lmstudio", home / ".cache" / "lm-studio"]
    with suppress(OSError):
        places.insert(0, Path((home / ".lmstudio-home-pointer").read_text(encoding="utf-8").strip()))
    for place in dict.fromkeys(places):
        yield from _in_folder(place / "models", "LM Studio")


def _gpt4all(home: Path, environment: Mapping[str, str]) -> Iterator[LocalModel]:
    kept = {
        "darwin": home / "Library" / "Application Support",
        "win32": Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local"),
    }.get(sys.platform, Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share"))
    for place in (kept / "nomic.ai" / "GPT4All", home / ".cache" / "gpt4all"):
        yield from _in_folder(place, "GPT4All")


def _hugging_face(cache: Path) -> Iterator[LocalModel]:
    for snapshots in sorted(_children(cache, "models--*/snapshots")):
        yield from _in_folder(snapshots, _HUB_CACHE)


def _ollama(home: Path, environment: Mapping[str, str]) -> Iterator[LocalModel]:
    own = environment.get("OLLAMA_MODELS")
    places = [Path(own).expanduser()] if own else []
    # The last two are where its service on Linux keeps them.
    places += [home / ".ollama/models", Path("/usr/share/ollama/.ollama/models"), Path("/var/lib/ollama/models")]
    for place in places:
        for manifest in sorted(_children(place / "manifests", "*/*/*/*")):
            with suppress(OSError, ValueError, KeyError, TypeError, StopIteration):
                layers = json.loads(manifest.read_text(encoding="utf-8"))["layers"]
                digest = next(layer["digest"] for layer in layers if layer["mediaType"] == _OLLAMA_MODEL)
                host, space, model, tag = manifest.relative_to(place / "manifests").parts
                owner = "" if (host, space) == (_OLLAMA_HOST, "library") else f"{space}/"
                found = _model(f"{owner}{model}:{tag}", place / "blobs" / digest.replace(":", "-"), "Ollama")
                if found is not None:
                    yield found


def _in_folder(folder: Path, origin: str) -> Iterator[LocalModel]:
    for path in sorted(_children(folder, "**/*.gguf")):
        part = path.name.removesuffix(".gguf").removeprefix(stem(path.name))
        if is_weights(path.name) and (not part or part.startswith("-00001-")):
            found = _model(stem(path.name), path, origin)
            if found is not None:
                yield found


def _model(name: str, path: Path, origin: str) -> LocalModel | None:
    with suppress(OSError), path.open("rb") as file:
        if file.read(len(_MAGIC)) == _MAGIC:
            return LocalModel(name, path, size_of(path), origin)
    return None


def _children(folder: Path, pattern: str) -> list[Path]:
    """What matches in a folder; nothing if there is none, or it may not be read."""
    with suppress(OSError):
        return list(folder.glob(pattern))
    return []
