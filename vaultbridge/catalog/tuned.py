"""A folder with a model that was taught here, and the sheet in it that says how to run it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from vaultbridge.catalog.catalog import ModelRole
from vaultbridge.core.errors import ModelInvalid

SHEET = "vaultbridge-model.json"


@dataclass(frozen=True, slots=True)
class TunedSheet:
    """Its name, and what its base is run by and told: the same pooling, prefixes and length.

    ``options`` have no floor: what the base's cosines were worth says nothing of these.
    """

    name: str
    role: ModelRole
    backend: str
    base: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def read(folder: Path) -> TunedSheet | None:
        """The sheet in a folder; None if there is none. Raises ModelInvalid."""
        if not (folder / SHEET).is_file():
            return None
        try:
            return TypeAdapter(TunedSheet).validate_json((folder / SHEET).read_bytes())
        except (OSError, ValidationError) as error:
            raise ModelInvalid(f"{folder / SHEET} cannot be read: {error}.", "Run the training again.") from error

    def write(self, folder: Path) -> None:
        """Say it."""
        (folder / SHEET).write_bytes(TypeAdapter(TunedSheet).dump_json(self, indent=2))
