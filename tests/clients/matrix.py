"""The clients that are tried, how each is run, and the table of what they got (docs/clients.md)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.clients.trying import HERE

ROOT = HERE.parents[1]
NODE_MODULES = HERE / "node_modules"
SECONDS = 240
"""How long all cells of one client may take."""

_CHAT = ("chat", "stream", "tools", "tools, streamed", "structured")
_PARALLEL = "tools, parallel"
_RESPONSES = ("responses", "responses, streamed", "responses, tools")


@dataclass(frozen=True, slots=True)
class Cell:
    """What a client got: a word or two, or what went wrong."""

    ok: bool
    got: str


@dataclass(frozen=True, slots=True)
class Client:
    """A client and what can be asked through it.

    ``script`` is run with the servers' addresses and prints its cells; ``package`` is what it tries, empty for our own.
    """

    title: str
    script: str
    package: str
    cells: tuple[str, ...]
    arguments: tuple[str, ...] = ()

    @property
    def is_node(self) -> bool:
        """Whether it needs Node and what ``npm install`` fetches."""
        return self.script.endswith(".mjs")

    @property
    def version(self) -> str:
        """The version that is installed; empty for our own."""
        if self.is_node:
            described = json.loads((NODE_MODULES / self.package / "package.json").read_text(encoding="utf-8"))
            return str(described["version"])
        return version(self.package) if self.package else ""

    def run(self, address: str, fakes: str) -> dict[str, Cell]:
        """Every cell, against the server at ``address``, and one with the fake models for what cannot be forced."""
        program = ["node", str(HERE / self.script)] if self.is_node else [sys.executable, "-m", _module(self.script)]
        done = subprocess.run(
            [*program, address, fakes, *self.arguments], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS
        )
        if done.returncode:
            raise RuntimeError(f"{self.script} ended with {done.returncode}: {done.stderr[-2000:]}")
        return {name: Cell(cell["ok"], _line(cell["got"])) for name, cell in json.loads(done.stdout).items()}


def _module(script: str) -> str:
    return f"{__package__}.{Path(script).stem}"


def _line(text: str) -> str:
    return " ".join(text.split())[:300]


CLIENTS = (
    Client(
        "openai (Python)",
        "python_openai.py",
        "openai",
        ("models", *_CHAT, _PARALLEL, *_RESPONSES, "responses, structured", "embeddings", "completion"),
    ),
    Client(
        "openai (Node)", "openai.mjs", "openai", ("models", *_CHAT, _PARALLEL, *_RESPONSES, "embeddings", "completion")
    ),
    Client("@langchain/openai", "langchain_openai.mjs", "@langchain/openai", (*_CHAT, *_RESPONSES, "embeddings")),
    Client("@langchain/ollama", "langchain_ollama.mjs", "@langchain/ollama", (*_CHAT, "embeddings")),
    Client("ollama (Python)", "python_ollama.py", "ollama", ("models", *_CHAT, "embeddings", "completion")),
    Client("ollama (Node)", "ollama.mjs", "ollama", ("models", *_CHAT, "embeddings", "completion")),
    Client(
        "litellm, `openai/`",
        "python_litellm.py",
        "litellm",
        (*_CHAT, "responses", "embeddings", "rerank"),
        ("openai",),
    ),
    Client("litellm, `ollama_chat/`", "python_litellm.py", "litellm", (*_CHAT, "embeddings"), ("ollama_chat",)),
    Client("Text Generator (our client)", "text_generator.py", "", ("chat", "stream", "title")),
)
ROWS = tuple(dict.fromkeys(cell for client in CLIENTS for cell in client.cells))


def table(results: Mapping[str, Mapping[str, Cell]]) -> str:
    """Markdown: a column for each client, by its title, and a row for each thing tried."""
    heads = [f"{client.title} {client.version}".strip() for client in CLIENTS]
    lines = ["| tried | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for row in ROWS:
        cells = [results[client.title].get(row) for client in CLIENTS]
        said = ["–" if cell is None else cell.got if cell.ok else f"**no**: {cell.got[:60]}" for cell in cells]
        lines.append(f"| {row} | " + " | ".join(text.replace("|", "\\|") for text in said) + " |")
    return "\n".join(lines) + "\n"
