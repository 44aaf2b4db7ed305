"""The models folder: where each model's files are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from vaultbridge.catalog.catalog import CHECKOUT_MODELS, Entry, ModelRole, this_platform
from vaultbridge.catalog.local import LocalModel

_RECEIPT = "model.json"
_PART = ".part"
_LOCKS = ".locks"
_LOOK_SECONDS = 0.5


def default_folder() -> Path:
    """``models/`` of the checkout that the package runs from, or else of the user's data folder."""
    if (CHECKOUT_MODELS / "catalog.toml").is_file():
        return CHECKOUT_MODELS
    return platformdirs.user_data_path("vaultbridge", appauthor=False) / "models"


class ModelFolder:
    """``<path>/<model's name>/<its files>``. A model is there whole or not at all.

    What is still being fetched is in ``.<name>.part``. A model outside of the catalogue has a receipt beside its files.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_folder()

    def home_of(self, entry: Entry) -> Path:
        """The folder of one model's files, present or not."""
        return self.path / entry.name

    def path_of(self, entry: Entry) -> Path:
        """What the backend loads: its GGUF file, or the folder."""
        home = self.home_of(entry)
        return home / entry.file_names(this_platform())[0] if entry.is_gguf else home

    def is_present(self, entry: Entry) -> bool:
        """Whether every file of the model is there."""
        names = entry.file_names(this_platform())
        return bool(names) and all((self.home_of(entry) / name).is_file() for name in names)

    def size_of(self, entry: Entry) -> int:
        """Bytes on the disk; 0 for a model that is not there."""
        return _bytes(self.home_of(entry))

    def own(self) -> list[LocalModel]:
        """The fetched models outside of the catalogue, by their names."""
        found = []
        for receipt in sorted(self.path.glob(f"[!.]*/{_RECEIPT}")):
            with suppress(OSError, ValueError, KeyError, TypeError):  # somebody else's file of that name
                told = json.loads(receipt.read_text(encoding="utf-8"))
                home = receipt.parent
                path = home / told["load"] if told["load"] else home
                model = LocalModel(home.name, path, _bytes(home), told["origin"], told["role"], told["licence"])
                if path.exists():
                    found.append(model)
        return found

    def work_of(self, name: str) -> Path:
        """Where a model's files arrive."""
        return self.path / f".{name}{_PART}"

    @contextmanager
    def fetching(self, name: str, waiting: Callable[[], None]) -> Iterator[None]:
        """Only one process at a time fetches a model; ``waiting`` is called twice a second until it is one's turn."""
        (self.path / _LOCKS).mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / _LOCKS / name)
        while not lock.is_locked:
            try:
                lock.acquire(timeout=_LOOK_SECONDS)
            except Timeout:
                waiting()
        try:
            yield
        finally:
            lock.release()

    def sign(self, place: Path, load: str, origin: str, role: ModelRole | None, licence: str) -> None:
        """Leave a receipt in the folder of a model outside of the catalogue. ``load``: its first GGUF file, if any."""
        told = {"origin": origin, "role": role, "licence": licence, "load": load}
        (place / _RECEIPT).write_text(json.dumps(told, indent=2), encoding="utf-8")

    def install(self, name: str) -> None:
        """Put what has arrived, the folder ``model`` in ``work_of``, where it belongs; in one step."""
        work, home = self.work_of(name), self.path / name
        if home.exists():
            home.replace(work / "old")
        (work / "model").replace(home)
        shutil.rmtree(work)

    def remove(self, name: str) -> bool:
        """Delete a model's files, those that have arrived of it included; False if there were none."""
        there = [place for place in (self.path / name, self.work_of(name)) if place.exists()]
        for place in there:
            shutil.rmtree(place)
        return bool(there)

    def leftovers(self) -> list[Path]:
        """What was begun and not finished, and is not being fetched just now."""
        found = []
        for work in sorted(self.path.glob(f".*{_PART}")):
            with suppress(Timeout), self._free(work.name.removeprefix(".").removesuffix(_PART)):
                found.append(work)
        return found

    def strangers(self, known: set[str]) -> list[Path]:
        """Folders that are no model: neither ``known`` nor with a receipt."""
        own = {model.name for model in self.own()}
        return [place for place in sorted(self.path.glob("[!.]*/")) if place.is_dir() and place.name not in known | own]

    @contextmanager
    def _free(self, name: str) -> Iterator[None]:
        if not (self.path / _LOCKS / name).exists():
            yield
            return
        with FileLock(self.path / _LOCKS / name, timeout=0):
            yield


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
