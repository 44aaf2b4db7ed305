"""Supply: from a model's name, or a path, to files that a backend can load."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vaultbridge.catalog.adapter import PLUS, check_adapter
from vaultbridge.catalog.catalog import Catalog, Entry, HubSource, ModelRole, this_platform
from vaultbridge.catalog.figures import absurdity
from vaultbridge.catalog.folder import ModelFolder
from vaultbridge.catalog.found import Elsewhere
from vaultbridge.catalog.gguf_header import GgufHeader
from vaultbridge.catalog.local import LocalModel
from vaultbridge.catalog.parts import check_parts
from vaultbridge.catalog.tuned import TunedSheet
from vaultbridge.core.errors import ConfigError, ModelInvalid, ModelMissing

_GGUF_MAGIC = b"GGUF"
_EXPORT = "vaultbridge-onnx.json"
"""What tells the folder of an export from that of its model."""
_GENERATORS = ("chat", "completion")


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is ready to load: ``backend`` is a short name, its class takes ``path``, ``name`` and ``options``.

    ``context`` is the trained context in tokens, 0 if unknown. With an ``address`` it runs elsewhere, and its class
    takes that instead of the path.
    """

    name: str
    path: Path
    backend: str
    options: Mapping[str, Any] = field(default_factory=dict)
    context: int = 0
    address: str = ""


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A catalogue entry as it stands here; ``on_disk`` in bytes.

    ``present``: it is fetched. ``found``: where else it is on this computer, and used if it is named.
    """

    entry: Entry
    path: Path
    present: bool
    on_disk: int
    found: LocalModel | None = None


class Supply:
    """The catalogue, the models folder, and what is ``elsewhere`` on this computer, together."""

    def __init__(
        self, catalog: Catalog | None = None, folder: ModelFolder | None = None, elsewhere: Elsewhere | None = None
    ) -> None:
        self.catalog = catalog or Catalog.load()
        self.folder = folder or ModelFolder()
        self.elsewhere = elsewhere or Elsewhere()

    def status(self, name: str) -> ModelStatus:
        """One model's entry and presence. Raises ModelMissing for an unknown name."""
        entry = self.catalog.get(name)
        home, present = self.folder.home_of(entry), self.folder.is_present(entry)
        found = None if present else self.elsewhere.of(entry)
        return ModelStatus(entry, home, present, self.folder.size_of(entry), found)

    def statuses(self) -> list[ModelStatus]:
        """All of them, in the catalogue's order."""
        return [self.status(entry.name) for entry in self.catalog.entries]

    def others(self) -> list[LocalModel]:
        """The models outside of the catalogue: fetched ones, and what other programs have."""
        own = self.folder.own()
        files = {name for entry in self.catalog.entries for name in entry.file_names(this_platform())}
        taken = {model.name for model in own}
        return own + [
            model
            for model in self.elsewhere.models
            if model.name not in taken and model.name not in self.catalog and model.path.name not in files
        ]

    def is_ours(self, model: LocalModel) -> bool:
        """Whether a model's files are in our folder, and not another program's."""
        return self.folder.path in model.path.parents

    def remove(self, name: str) -> bool:
        """Delete a fetched model's files; False if there were none.

        Raises ModelMissing for an unknown name, ConfigError for a model that belongs to another program.
        """
        if any(model.name == name for model in self.folder.own()):
            return self.folder.remove(name)
        foreign = next((model for model in self.others() if model.name == name), None)
        if foreign is None and (foreign := self.status(name).found) is None:
            return self.folder.remove(name)
        raise ConfigError(f"{name} belongs to {foreign.origin} and is only used from there.", "Delete it there.")

    def broken(self) -> list[Path]:
        """Folders beside the models that hold no whole one."""
        whole = {entry.name for entry in self.catalog.entries if self.folder.is_present(entry)}
        return self.folder.strangers(whole)

    def resolve(self, name_or_path: str, role: ModelRole) -> Model:
        """The model to load for ``role``: a catalogue name whose files are here, a path to one's own files, or for
        embedders and rerankers an address, ``http://host:port/v1#model``.

        What other programs have fetched has a name too. A chat model and a base model may stand in for each other.
        ``model+adapter``, two names or paths, is a model with a LoRA adapter on top.
        Raises ModelMissing if there is no such name or path or it is not fetched yet, ModelInvalid if the file is not
        what the role needs, ConfigError if the model is for another role.
        """
        if name_or_path.startswith(("http://", "https://")) and role not in _GENERATORS:
            return self._remote(name_or_path, role)
        if name_or_path in self.catalog:
            return self._from_catalog(self.catalog.get(name_or_path), role)
        path = Path(name_or_path).expanduser()
        if not path.exists():
            if local := next((model for model in self.others() if model.name == name_or_path), None):
                return self._local(local, role)
            if PLUS in name_or_path and role in _GENERATORS:
                return self._adapted(name_or_path, role)
            if path.suffix == ".gguf" or len(path.parts) > 1:
                raise ModelMissing(f"There is no model at {path}.", "Check the path, or see: vaultbridge models list")
            self.catalog.get(name_or_path)  # raises, naming the close ones
        return self._own(path, role)

    def starter_embedder(self, has_cjk: bool, on: str = "") -> Entry | None:
        """The embedder to begin with on platform ``on`` (this one): the multilingual one where it runs, else MiniLM.

        None for a vault with Chinese, Japanese or Korean text where only MiniLM runs: English vectors would be noise,
        so keyword search has to do until the user fetches bge-m3.
        """
        starters = [entry for entry in self.catalog.entries if entry.starter and entry.role == "embedder"]
        for entry in sorted(starters, key=lambda entry: bool(entry.languages)):
            runs = isinstance(entry.source, HubSource) or entry.source.runs_on(on or this_platform())
            if runs and not (has_cjk and entry.languages):
                return entry
        return None

    def _from_catalog(self, entry: Entry, role: ModelRole) -> Model:
        if entry.role != role and not (entry.role in _GENERATORS and role in _GENERATORS):
            raise ConfigError(f"{entry.name} is for the role {entry.role}, not {role}.", "See: vaultbridge models list")
        path = self.folder.path_of(entry)
        if not self.folder.is_present(entry):
            found = self.elsewhere.of(entry)
            if found is None:
                raise ModelMissing(f"The model {entry.name} is not on this computer.", how_to_fetch(entry))
            path = found.path
        if entry.is_gguf:
            check_gguf(path)
        return Model(entry.name, path, entry.backend, entry.options, entry.context)

    def _local(self, local: LocalModel, role: ModelRole) -> Model:
        if local.role is not None and local.role != role and not (local.role in _GENERATORS and role in _GENERATORS):
            raise ConfigError(f"{local.name} is for the role {local.role}, not {role}.", "See: vaultbridge models list")
        return replace(self._own(local.path, role), name=local.name)

    def _adapted(self, name_or_path: str, role: ModelRole) -> Model:
        """Which is a model of its own to everybody: all that it has in its cache was computed with the adapter."""
        base, _, wanted = name_or_path.rpartition(PLUS)
        model, path = self.resolve(base, role), Path(wanted).expanduser()
        if "adapter" in model.options:
            raise ConfigError(f"{name_or_path} asks for two adapters.", "One can be used at a time.")
        local = next((local for local in self.others() if local.name == wanted), None)
        path = local.path if local and not path.exists() else path
        if not path.exists():
            raise ModelMissing(f"There is no adapter {wanted}.", "Name a file, or fetch it: vaultbridge models pull")
        check_adapter(path, model.path)
        name = f"{model.name}{PLUS}{local.name if local else path.stem}"
        return replace(model, name=name, options={**model.options, "adapter": path})

    def _own(self, path: Path, role: ModelRole) -> Model:
        if role in _GENERATORS:
            return self._own_gguf(path)
        return self._own_small_gguf(path, role) if path.is_file() else self._own_folder(path, role)

    def _own_gguf(self, path: Path) -> Model:
        check_gguf(path)
        return Model(path.stem, path, "llama")

    def _own_small_gguf(self, path: Path, role: ModelRole) -> Model:
        """An embedder or a reranker; a file of the catalogue's is known by its name."""
        check_gguf(path)
        for entry in self.catalog.entries:
            if entry.role == role and path.name in entry.file_names(this_platform()):
                return Model(entry.name, path, entry.backend, entry.options)
        return Model(path.stem, path, "llama-reranker" if role == "reranker" else "llama-embedder")

    def _remote(self, address: str, role: ModelRole) -> Model:
        """What the catalogue knows of a model of that name (prefixes, floor) holds for a remote one, too."""
        place, _, model = address.partition("#")
        host = place.split("//")[1].split("/")[0].rpartition("@")[2]
        if not host:
            raise ConfigError(f"{address} names no host.", "Write it as http://host:port/v1#model.")
        known = self.catalog.get(model).options if model in self.catalog else {}
        options = {"model": model} | {name: value for name, value in known.items() if name != "pooling"}
        backend = "remote-reranker" if role == "reranker" else "remote-embedder"
        return Model(model or host, Path(), backend, options, address=place)

    def _own_folder(self, path: Path, role: ModelRole) -> Model:
        if not (path / "config.json").is_file():
            raise ModelInvalid(
                f"{path} is not a model folder: it has no config.json.",
                f"A model for the role {role} is a folder as Hugging Face repositories have it.",
            )
        if (sheet := TunedSheet.read(path)) is not None:
            if sheet.role != role:
                raise ConfigError(f"{path} is for the role {sheet.role}, not {role}.", "Pass another folder.")
            return Model(sheet.name, path, sheet.backend, sheet.options)
        if role == "reranker":
            return Model(path.name, path, "flag-llm-reranker" if _generates(path) else "flag-reranker")
        if (path / _EXPORT).is_file():
            return Model(path.name, path, "onnx")
        if (path / "sparse_linear.pt").is_file():
            return Model(path.name, path, "flag-m3", self.catalog.get("bge-m3").options)
        return Model(path.name, path, "flag", _sentence_transformers_options(path))


def how_to_fetch(entry: Entry) -> str:
    """What to do to have a model, in a sentence."""
    return f"Fetch it: vaultbridge models pull {entry.name}"


def check_gguf(path: Path) -> None:
    """Raise ModelInvalid unless ``path`` begins as GGUF files do, is whole, and has figures that a model can have.

    One that cannot be read otherwise is left to what loads it, which may know a newer form, and says why.
    """
    hint = "Pass a .gguf file, or a name from: vaultbridge models list"
    if not path.is_file():
        raise ModelInvalid(f"{path} is not a GGUF file.", hint)
    with path.open("rb") as file:
        if file.read(len(_GGUF_MAGIC)) != _GGUF_MAGIC:
            raise ModelInvalid(f"{path} is not a GGUF file.", hint)
    check_parts(path)
    try:
        header = GgufHeader.read(path)
    except ModelInvalid:
        return
    if reason := absurdity(header):
        raise ModelInvalid(f"{path.name} is no model that runs: {reason}.", "Fetch it again, or choose another file.")


def _generates(folder: Path) -> bool:
    """Whether a folder holds a language model, by its config."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError:
        return False
    kinds = config.get("architectures") if isinstance(config, dict) else None
    return any(str(kind).endswith("ForCausalLM") for kind in kinds or ())


def _sentence_transformers_options(path: Path) -> dict[str, Any]:
    """What a sentence-transformers folder says about itself; no floor is known, so none is set."""

    def read(name: str) -> dict[str, Any]:
        file = path / name
        content = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        return content if isinstance(content, dict) else {}

    mean = read("1_Pooling/config.json").get("pooling_mode_mean_tokens")
    max_tokens = read("sentence_bert_config.json").get("max_seq_length") or 512
    return {"pooling": "mean" if mean else "cls", "max_tokens": max_tokens, "floor": 0.0}
