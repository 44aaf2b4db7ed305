"""A test collection in the BEIR layout, and the vault that its documents make."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from vaultbridge.core.errors import ConfigError
from vaultbridge.core.notes import NotePath


@dataclass(frozen=True, slots=True)
class Collection:
    """Questions and which documents answer them: ``relevant[query id][document id]`` is a grade above 0."""

    documents: dict[str, tuple[str, str]]
    queries: dict[str, str]
    relevant: dict[str, dict[str, int]]


def read_collection(folder: Path) -> Collection:
    """``corpus.jsonl``, ``queries.jsonl`` and ``qrels/*.tsv`` of ``folder``. Raises ConfigError naming what lacks."""
    try:
        documents = {row["_id"]: (row.get("title", ""), row["text"]) for row in _rows(folder / "corpus.jsonl")}
        queries = {row["_id"]: row["text"] for row in _rows(folder / "queries.jsonl")}
        relevant: dict[str, dict[str, int]] = {}
        for file in sorted((folder / "qrels").glob("*.tsv")):
            with file.open(encoding="utf-8", newline="") as lines:
                for row in csv.DictReader(lines, delimiter="\t"):
                    if int(row["score"]) > 0:
                        relevant.setdefault(row["query-id"], {})[row["corpus-id"]] = int(row["score"])
    except (OSError, KeyError, ValueError) as error:
        raise ConfigError(
            f"{folder} is not a test collection ({type(error).__name__}: {error}).",
            "It needs corpus.jsonl, queries.jsonl and qrels/*.tsv in the BEIR layout.",
        ) from error
    if not relevant:
        raise ConfigError(f"{folder} has no qrels/*.tsv with a relevant document.", "The BEIR layout has them.")
    return Collection(documents, {key: queries[key] for key in relevant if key in queries}, relevant)


def write_vault(collection: Collection, folder: Path) -> dict[NotePath, str]:
    """Write each document as one note into ``folder``; document ids by note path."""
    ids: dict[NotePath, str] = {}
    for number, (id_, (title, text)) in enumerate(collection.documents.items()):
        path = NotePath(f"{number:06d}.md")
        front = yaml.safe_dump({"title": title}, allow_unicode=True) if title else ""
        (folder / path).write_text(f"---\n{front}---\n{text}\n" if front else text, encoding="utf-8")
        ids[path] = id_
    return ids


def _rows(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
