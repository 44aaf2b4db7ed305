"""Which models the user chose for what, where the settings leave it open."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

log = logging.getLogger(__name__)

Role = Literal["chat", "completion", "draft", "embed", "rerank"]
"""Answering, continuing a text, guessing ahead for both, search by meaning, reading the best passages again."""
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Promotion:
    """A tuned model took a role from ``before``, which is empty if the role was open."""

    role: Role
    before: str


@dataclass(frozen=True, slots=True)
class _Choices:
    """What the file holds; the newest promotion is the last."""

    chosen: dict[Role, str] = field(default_factory=dict)
    promotions: Sequence[Promotion] = ()


class Roles:
    """Kept in ``file``; a role that is not in it is left open. A file that cannot be read holds nothing.

    It is read each time: a server and a command may both write it.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def chosen(self, role: Role) -> str:
        """The model's name; empty if the role is left open."""
        return self._read().chosen.get(role, "")

    def former(self, role: Role) -> list[str]:
        """What the promoted model of a role took it from, the newest first; empty if none was promoted."""
        return [promotion.before for promotion in reversed(self._read().promotions) if promotion.role == role]

    def choose(self, role: Role, name: str) -> None:
        """Keep a choice; an empty name leaves the role open again. There is nothing to go back to from it."""
        known = self._read()
        self._write({**known.chosen, role: name}, [one for one in known.promotions if one.role != role])

    def promote(self, role: Role, name: str) -> None:
        """Keep a choice and what was there before."""
        known = self._read()
        promotion = Promotion(role, known.chosen.get(role, ""))
        self._write({**known.chosen, role: name}, [*known.promotions, promotion])

    def rollback(self) -> Promotion | None:
        """Undo the last promotion, and return it; None if there is none."""
        known = self._read()
        if not known.promotions:
            return None
        *others, last = known.promotions
        self._write({**known.chosen, last.role: last.before}, others)
        return last

    def _write(self, chosen: dict[Role, str], promotions: Sequence[Promotion]) -> None:
        told = chosen | ({"promotions": [asdict(one) for one in promotions]} if promotions else {})
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps(told, indent=2), encoding="utf-8")
        draft.replace(self._file)

    def _read(self) -> _Choices:
        try:
            told = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return _Choices()
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read (%s); the models are chosen anew", self._file.name, type(error).__name__)
            return _Choices()
        known = told if isinstance(told, dict) else {}
        promotions = known.get("promotions")
        return _Choices(
            {role: name for role in ROLES if isinstance(name := known.get(role), str)},
            [Promotion(row["role"], row["before"]) for row in promotions if _is_promotion(row)]
            if isinstance(promotions, list)
            else (),
        )


def _is_promotion(row: Any) -> bool:
    return isinstance(row, dict) and row.get("role") in ROLES and isinstance(row.get("before"), str)
