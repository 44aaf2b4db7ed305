"""What the Python clients share: what is asked, and how it is written down what a client got."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
ASKED: dict[str, Any] = json.loads((HERE / "asked.json").read_text(encoding="utf-8"))
VAULT_MODEL = "any"
PLAIN_MODEL = "any@plain"

Cells = Mapping[str, Callable[[], str]]


def try_all(cells: Cells) -> None:
    """Try each cell in turn; a cell returns a word or two, or raises. Print all of them as JSON."""
    results = {}
    for name, cell in cells.items():
        try:
            results[name] = {"ok": True, "got": cell()}
        except Exception as error:  # noqa: BLE001  whatever a client throws is its result
            results[name] = {"ok": False, "got": f"{type(error).__name__}: {error}"}
    sys.stdout.write(json.dumps(results))


def address() -> str:
    """The address of the server with the starter models."""
    return sys.argv[1]


def fakes() -> str:
    """The address of a server with the fake models, which call tools when they are told to."""
    return sys.argv[2]


def must(held: object, what: object) -> None:
    """Raise ValueError saying ``what`` unless it ``held``."""
    if not held:
        raise ValueError(str(what))


def grounded(text: str | None, pieces: int = 2) -> str:
    must(ASKED["source"] in (text or ""), f"no sources in {text!r}")
    must(pieces > 1, "it came in one piece")
    return "text, sources"


def called(name: str | None, arguments: str | Mapping[str, Any]) -> str:
    must(name == ASKED["tool"]["name"], f"it called {name}")
    given = json.loads(arguments) if isinstance(arguments, str) else arguments
    must(given["city"] in ASKED["tool"]["parameters"]["properties"]["city"]["enum"], given)
    return "call"


def formed(value: Mapping[str, Any]) -> str:
    must(value["day"] in ASKED["form"]["properties"]["day"]["enum"] and isinstance(value["weekly"], bool), value)
    return "typed object"


def embedded(vectors: Sequence[Sequence[float]]) -> str:
    first, second, third = (np.array(vector) / np.linalg.norm(vector) for vector in vectors)
    must(first @ second > first @ third, "what means the same is not nearer")
    return f"{len(first)} numbers"
