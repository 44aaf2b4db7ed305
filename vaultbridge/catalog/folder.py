"""The models folder: where each model's files are."""

from __future__ import annotations

import shutil
from pathlib import Path

import platformdirs

from vaultbridge.catalog.catalog import CHECKOUT_MODELS, Entry, this_platform


def default_folder() -> Path:
    """``models/`` of the checkout that the package runs from, or else of the user's data folder."""
    if (CHECKOUT_MODELS / "catalog.toml").is_file():
        return CHECKOUT_MODELS
    return platformdirs.user_data_path("vaultbridge", appauthor=False) / "models"


class ModelFolder:
    """``<path>/<model's name>/<its files>``. A model is there whole or not at all."""

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
        return sum(file.stat().st_size for file in self.home_of(entry).rglob("*") if file.is_file())

    def remove(self, entry: Entry) -> bool:
        """Delete a model's files; False if there were none."""
        home = self.home_of(entry)
        if not home.exists():
            return False
        shutil.rmtree(home)
        return True
