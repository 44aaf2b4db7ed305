"""Which models the user chose for what, where the settings leave it open."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Literal, get_args

log = logging.getLogger(__name__)

Role = Literal["chat", "completion", "draft", "embed", "rerank"]
"""Answering, continuing a text, guessing ahead for both, search by meaning, reading the best passages again."""
ROLES: tuple[Role, ...] = get_args(Role)


class Roles:
    """Kept in ``file``; a role that is not in it is left open. A file that cannot be read holds nothing."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._chosen = self._read()

    def chosen(self, role: Role) -> str:
        """The model's name; empty if the role is left open."""
        return self._chosen.get(role, "")

    def choose(self, role: Role, name: str) -> None:
        """Keep a choice; an empty name leaves the role open again."""
        self._chosen[role] = name
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps(self._chosen, indent=2), encoding="utf-8")
        draft.replace(self._file)

    def _read(self) -> dict[Role, str]:
        try:
            told = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read (%s); the models are chosen anew", self._file.name, type(error).__name__)
            return {}
        known = told if isinstance(told, dict) else {}
        return {role: name for role in ROLES if isinstance(name := known.get(role), str)}
