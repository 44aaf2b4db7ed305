"""Which embedder an index was embedded by, so that it can go on answering when another one is chosen."""

from __future__ import annotations

import json
from pathlib import Path

from vaultbridge.catalog.supply import Model, Supply
from vaultbridge.core.errors import VaultbridgeError

FILE = "embedder.json"
"""Its name, in the folder of the index."""


class Predecessor:
    """The last embedder whose vectors were complete, kept in a file beside the index."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def of(self, model: Model, supply: Supply) -> Model | None:
        """The one before ``model``, if there was another and it is still on this computer."""
        known = self._known()
        if not known or known == _reference(model, supply):
            return None
        try:
            return supply.resolve(known, "embedder")
        except VaultbridgeError:
            return None  # there are words to search by until the new one is done

    def keep(self, model: Model, supply: Supply) -> None:
        """This one has embedded everything."""
        if (name := _reference(model, supply)) != self._known():
            draft = self._file.with_suffix(".new")
            draft.write_text(json.dumps({"model": name}) + "\n", encoding="utf-8")
            draft.replace(self._file)

    def _known(self) -> str:
        try:
            return str(json.loads(self._file.read_text(encoding="utf-8"))["model"])
        except (OSError, ValueError, TypeError, KeyError):
            return ""


def _reference(model: Model, supply: Supply) -> str:
    """What the supply finds a model by; empty for one that is elsewhere."""
    if model.name in supply.catalog:
        return model.name
    return str(model.path) if model.path.parts else ""
