"""``python -m vaultbridge.lab.embedding_rate VAULT …``: how fast an embedder is here, by each way to run it.

The chunks are those of the vaults, as they are embedded. Each way has a process of its own: FlagEmbedding as it comes
(``encode``), our path through it, and the two graphs of an export, which is made if it is not there. Prints one JSON
document: seconds to load, resident memory in GB, seconds for the chunks of one note, chunks and tokens a second for
all of them, and the least cosine of that note's vectors with torch's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
import psutil
import typer
from tokenizers import Tokenizer

from vaultbridge.backends.onnx_folder import FOLDER, Precision, exported
from vaultbridge.catalog.supply import Model, Supply
from vaultbridge.core.search import Embedding
from vaultbridge.vault.chunking import chunk
from vaultbridge.vault.files import Vault
from vaultbridge.vault.ignore import IgnoreRules
from vaultbridge.vault.markdown import parse

Way = Literal["library", "torch", "onnx", "onnx-int8"]
WAYS: tuple[Way, ...] = get_args(Way)
NOTE_CHUNKS = 8
MOST_TOKENS = 512
"""Where FlagEmbedding's ``encode`` cuts a text unless it is told otherwise; hardly a chunk of ours is longer."""

Embed = Callable[[Sequence[str]], list[Embedding]]


def chunks_of(vaults: Sequence[Path]) -> list[list[str]]:
    """What is embedded of each Markdown note."""
    notes: list[list[str]] = []
    for root in vaults:
        vault = Vault(root)
        for found in vault.walk(IgnoreRules.load(root)):
            if found.path.endswith(".md"):
                content, state = vault.read(found.path)
                note, _ = parse(content.decode(errors="replace"), state)
                notes.append([piece.embedded for piece in chunk(note)])
    return notes


def spread(texts: Sequence[str], count: int) -> list[str]:
    """So many of the texts, evenly chosen."""
    count = min(count, len(texts))
    return [texts[at * len(texts) // count] for at in range(count)]


def measure(way: Way, model: Model, note: Sequence[str], texts: Sequence[str]) -> dict[str, Any]:
    """One way in this process; ``vectors`` are the note's."""
    process = psutil.Process()
    before = process.memory_info().rss
    begun = time.perf_counter()
    embed = _embed_by(way, model)
    load = time.perf_counter() - begun
    embed(note[:1])
    vectors, one_note = _timed(embed, note)
    _, all_texts = _timed(embed, texts)
    return {
        "load_s": round(load, 1),
        "memory_gb": round((process.memory_info().rss - before) / 1e9, 2),
        "note_s": round(one_note, 3),
        "chunks": len(texts),
        "chunks_per_s": round(len(texts) / all_texts, 2),
        "tokens_per_s": round(_tokens(model.path, texts) / all_texts),
        "vectors": [embedding.dense for embedding in vectors],
    }


def _timed(embed: Embed, texts: Sequence[str]) -> tuple[list[Embedding], float]:
    begun = time.perf_counter()
    embedded = embed(texts)
    return embedded, time.perf_counter() - begun


def _embed_by(way: Way, model: Model) -> Embed:
    options = {**model.options, "max_tokens": min(MOST_TOKENS, model.options.get("max_tokens", MOST_TOKENS))}
    if way == "library":
        return _library(model, options["max_tokens"])
    if way == "torch":
        from vaultbridge.backends.flag_embedding import Flag, FlagM3

        kind = FlagM3 if model.backend == "flag-m3" else Flag
        return partial(kind(model.path, name=model.name, **options).embed, lane="document")
    from vaultbridge.backends.onnx_embedding import OnnxEmbedder

    options.pop("pooling", None)
    precision: Precision = "int8" if way == "onnx-int8" else "fp32"
    export = exported(model.path)
    assert export is not None
    return partial(OnnxEmbedder(export, name=model.name, precision=precision, **options).embed, lane="document")


def _library(model: Model, max_tokens: int) -> Embed:
    """FlagEmbedding's own ``encode``, for the heads that our path gives."""
    from vaultbridge.backends.flag_model import load

    if model.backend == "flag-m3":
        flag, _ = load("BGEM3FlagModel", model.path)
        encode = partial(flag.encode, max_length=max_tokens, return_dense=True, return_sparse=True)
        return lambda texts: [Embedding(vector) for vector in encode(list(texts))["dense_vecs"]]
    flag, _ = load("FlagModel", model.path, pooling_method=model.options.get("pooling", "cls"))
    return lambda texts: [Embedding(vector) for vector in flag.encode(list(texts), max_length=max_tokens)]


def _tokens(folder: Path, texts: Sequence[str]) -> int:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MOST_TOKENS)
    return sum(len(encoding.ids) for encoding in tokenizer.encode_batch(list(texts)))


def _alone(work: Callable[[], Any]) -> Any:
    """What ``work`` gives in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work).result()


def _export(model: Model) -> None:
    from vaultbridge.backends.onnx_export import export

    kind: Literal["flag", "flag-m3"] = "flag-m3" if model.backend == "flag-m3" else "flag"
    export(model.path, kind, model.options, model.path / FOLDER)


def _random_m3(folder: Path, notes: Sequence[Sequence[str]]) -> None:
    from vaultbridge.backends.random_m3 import write_random_m3

    write_random_m3(folder, [text for note in notes for text in note])


def main(
    vaults: Annotated[list[Path], typer.Argument(help="Vaults whose notes are embedded.", exists=True)],
    model: Annotated[str, typer.Option(help="An embedder: a name, or a folder.")] = "all-minilm-l6-v2",
    random: Annotated[
        Path | None, typer.Option(help="Instead: BGE-M3 with random weights, kept in this folder.", show_default=False)
    ] = None,
    chunks: Annotated[int, typer.Option(min=1, help="How many to embed, evenly chosen.")] = 1000,
    way: Annotated[list[str] | None, typer.Option(help="Only this way; may be repeated.", show_default=False)] = None,
) -> None:
    """Measure an embedder by each way to run it."""
    if unknown := set(way or ()) - set(WAYS):
        raise typer.BadParameter(f"There is no way {', '.join(sorted(unknown))}; there are {', '.join(WAYS)}.")
    notes = chunks_of(vaults)
    if random is not None and not (random / "config.json").is_file():
        _alone(partial(_random_m3, random, notes))
    found = Supply().resolve(str(random or model), "embedder")
    if exported(found.path) is None:
        _alone(partial(_export, found))
    note = next(pieces for pieces in sorted(notes, key=len) if len(pieces) >= NOTE_CHUNKS)
    texts = spread([text for pieces in notes for text in pieces], chunks)
    rows = {one: _alone(partial(measure, one, found, note, texts)) for one in WAYS if one in (way or WAYS)}
    vectors = {one: np.stack(row.pop("vectors")) for one, row in rows.items()}
    for one, row in rows.items():
        if "torch" in vectors:
            row["least_cosine"] = round(float(np.vecdot(vectors[one], vectors["torch"]).min()), 5)
    tokens = _tokens(found.path, note)
    typer.echo(json.dumps({"model": found.name, "note": [len(note), tokens], "ways": rows}, indent=2))


if __name__ == "__main__":
    typer.run(main)
