"""From a model's folder to an export of it, held against torch before anybody uses it."""

from __future__ import annotations

import gc
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from vaultbridge.backends.agreement import TEXTS, agreement
from vaultbridge.backends.flag_embedding import Flag, FlagM3
from vaultbridge.backends.flag_model import load
from vaultbridge.backends.onnx_embedding import OnnxEmbedder
from vaultbridge.backends.onnx_folder import GRAPHS, SHEET, Agreement, Precision, Runtime, Sheet, write_sheet
from vaultbridge.backends.onnx_graph import DenseHead, M3Heads, write_graph, write_int8
from vaultbridge.backends.vector_space import weights_digest
from vaultbridge.core.errors import ConfigError, ModelInvalid
from vaultbridge.core.ports import Embedder
from vaultbridge.core.search import Embedding

TOLERANCE = 1e-3
"""Of any score: what fp32 may differ from torch and still be the same space of vectors."""
SOUND_COSINE = 0.95
"""What a text's 8-bit vector must have in common with the full one, at the least, to be taken by itself."""
WORTH = 1.25
"""How much faster 8 bits must be for that, since they are another space: every note is embedded again."""
_ROUNDS = 2
_SAMPLE_TOKENS = 256


def export(
    folder: Path, kind: Literal["flag", "flag-m3"], options: Mapping[str, Any], out: Path, *, int8: bool = True
) -> Sheet:
    """Write the embedder in ``folder`` to ``out``, beside its tokenizer, and say how it compares with torch.

    ``kind`` and ``options`` as the backend ``flag`` or ``flag-m3`` is told. What stood at ``out`` is replaced if it was
    an export. Raises ConfigError if it was not, ModelInvalid if the model cannot be loaded or its graph disagrees.
    """
    if out.exists() and any(out.iterdir()) and not (out / SHEET).is_file():
        raise ConfigError(f"{out} holds something else.", "Name another folder with --out.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as work:
            made = Path(work) / out.name
            made.mkdir()
            sheet = _compared(folder, made, _write(folder, kind, options, made, int8=int8))
            write_sheet(made, sheet)
            if out.exists():
                shutil.rmtree(out)
            made.replace(out)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error}.", "Name another folder with --out.") from error
    return sheet


def _write(
    folder: Path, kind: Literal["flag", "flag-m3"], options: Mapping[str, Any], out: Path, *, int8: bool
) -> Sheet:
    pooling = options.get("pooling", "cls")
    heads: M3Heads | DenseHead
    if kind == "flag-m3":
        flag, _ = load("BGEM3FlagModel", folder)
        heads = M3Heads(flag)
    else:
        flag, _ = load("FlagModel", folder, pooling_method=pooling)
        heads = DenseHead(flag)
    tokenizer, config = flag.tokenizer, heads.backbone.config
    heads.cpu()
    write_graph(heads, tokenizer.pad_token_id, out / GRAPHS["fp32"])
    if int8:
        samples = tokenizer(list(TEXTS), truncation=True, max_length=_SAMPLE_TOKENS)["input_ids"]
        write_int8(out / GRAPHS["fp32"], out / GRAPHS["int8"], samples)
    tokenizer.save_pretrained(out)
    config.save_pretrained(out)
    special = (tokenizer.cls_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id)
    return Sheet(
        kind=kind,
        weights=weights_digest(folder),
        dimensions=config.hidden_size,
        pooling=pooling,
        special=tuple(token for token in special if token is not None),
        pad=tokenizer.pad_token_id,
        options={name: value for name, value in options.items() if name != "pooling"},
    )


def _compared(folder: Path, out: Path, sheet: Sheet) -> Sheet:
    """The sheet with what was measured. One model is in memory at a time."""
    write_sheet(out, sheet)
    multi = sheet.kind == "flag-m3"
    seconds: dict[Runtime, float] = {}
    agreements: dict[Precision, Agreement] = {}

    def torch() -> Embedder:
        if sheet.kind == "flag-m3":
            return FlagM3(folder, name=folder.name, multi=True, **sheet.options)
        return Flag(folder, name=folder.name, pooling="mean" if sheet.pooling == "mean" else "cls", **sheet.options)

    def onnx(precision: Precision) -> Embedder:
        return OnnxEmbedder(out, name=folder.name, precision=precision, multi=multi, **sheet.options)

    reference, seconds["torch"] = _timed(torch)
    ours, seconds["onnx"] = _timed(lambda: onnx("fp32"))
    agreements["fp32"] = agreement(ours, reference)
    if agreements["fp32"].score > TOLERANCE:
        raise ModelInvalid(
            f"The graph of {folder.name} gives scores that differ by {agreements['fp32'].score:.4f} from torch's.",
            "It is not written. This model has to run with torch.",
        )
    if (out / GRAPHS["int8"]).is_file():
        ours, seconds["onnx-int8"] = _timed(lambda: onnx("int8"))
        agreements["int8"] = agreement(ours, reference)
    return replace(sheet, agreement=agreements, seconds=seconds, fastest=fastest(seconds, agreements))


def fastest(seconds: Mapping[Runtime, float], agreements: Mapping[Precision, Agreement]) -> Runtime:
    """The runtime to take by itself: the fastest whose vectors are sound; 8 bits only where they are well worth it."""
    full: Runtime = "onnx" if seconds["onnx"] <= seconds["torch"] else "torch"
    if "int8" not in agreements or agreements["int8"].cosine < SOUND_COSINE:
        return full
    return "onnx-int8" if seconds["onnx-int8"] * WORTH < seconds[full] else full


def _timed(load_embedder: Callable[[], Embedder]) -> tuple[list[Embedding], float]:
    """The embeddings of the texts, and the seconds of the fastest of a few rounds."""
    embedder = load_embedder()
    embedded, best = embedder.embed(TEXTS, "document"), float("inf")
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        embedder.embed(TEXTS, "document")
        best = min(best, time.perf_counter() - begun)
    del embedder
    gc.collect()
    return embedded, best
