"""An exported embedder through ONNX Runtime, on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from vaultbridge.backends import m3_heads
from vaultbridge.backends.cores import physical_cores
from vaultbridge.backends.onnx_folder import GRAPHS, TOKENIZER, Precision, read_sheet
from vaultbridge.backends.token_batches import ALONE, Budget, clean, through
from vaultbridge.backends.vector_space import fingerprint
from vaultbridge.core.errors import EmbedFailed, ModelInvalid, ModelMissing
from vaultbridge.core.search import UNMEASURED, EmbedderInfo, Embedding, Lane, Vector

_BUDGETS: Mapping[Precision, Budget] = {
    "fp32": Budget(tokens=1024, padding=64),  # as for torch
    # Activations of 8 bits have one scale a pass: with others beside it, a text would have another vector.
    "int8": ALONE,
}


class OnnxEmbedder:
    """An Embedder on the ``folder`` of an export, in either ``precision``; other keywords as for ``Flag``, ``FlagM3``.

    With fp32 it embeds into the same space as torch, so its fingerprint is that one's. Raises ModelInvalid, or
    ModelMissing if there is no graph of that precision.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        precision: Precision = "fp32",
        floor: float = UNMEASURED,
        max_tokens: int = 512,
        query_prefix: str = "",
        document_prefix: str = "",
        languages: tuple[str, ...] = (),
        multi: bool = False,
    ) -> None:
        sheet = read_sheet(folder)
        self._session = _open(folder / GRAPHS[precision])
        self._tokenizer = _tokenizer(folder / TOKENIZER, max_tokens)
        self._budget = _BUDGETS[precision]
        self._pad, self._special = sheet.pad, frozenset(sheet.special)
        self._prefixes: dict[Lane, str] = {"query": query_prefix, "document": document_prefix}
        self._sparse = sheet.kind == "flag-m3"
        self._multi = multi and self._sparse
        traits: tuple[object, ...] = (max_tokens, sheet.pooling, query_prefix, document_prefix)
        if self._sparse:
            traits = (max_tokens, *(["multi"] if multi else []))
        self._info = EmbedderInfo(
            name=name,
            fingerprint=fingerprint(sheet.weights, sheet.kind, *traits, *(["int8"] if precision == "int8" else [])),
            dimensions=sheet.dimensions,
            max_tokens=max_tokens,
            floor=floor,
            languages=tuple(languages),
            sparse=self._sparse,
            multi=self._multi,
        )

    @property
    def info(self) -> EmbedderInfo:
        """What this embedder is."""
        return self._info

    def embed(self, texts: Sequence[str], lane: Lane) -> list[Embedding]:
        """Embed ``texts``, each behind its lane's prefix, with the heads that the model has. Raises EmbedFailed."""
        encoded = self._tokenizer.encode_batch(clean([self._prefixes[lane] + text for text in texts]))
        ids: list[list[int]] = [encoding.ids for encoding in encoded]
        try:
            return through([len(row) for row in ids], self._budget, lambda rows: self._pass([ids[row] for row in rows]))
        except Exception as error:
            # The library's errors have no common class of their own.
            raise EmbedFailed(f"The model failed on {len(texts)} texts: {error}", "See the log.") from error

    def _pass(self, ids: list[list[int]]) -> list[Embedding]:
        padded = np.full((len(ids), max(map(len, ids))), self._pad, np.int64)
        mask = np.zeros_like(padded)
        for row, tokens in enumerate(ids):
            padded[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        outputs = ["dense", *(["sparse"] if self._sparse else []), *(["multi"] if self._multi else [])]
        made: list[Vector] = self._session.run(outputs, {"input_ids": padded, "attention_mask": mask})
        if not self._sparse:
            return [Embedding(vector) for vector in made[0]]
        return m3_heads.embeddings(ids, made[0], made[1], made[2] if self._multi else None, self._special)


def _open(graph: Path) -> Any:
    if not graph.is_file():
        raise ModelMissing(f"There is no {graph.name} in {graph.parent}.", "Export it: vaultbridge models export-onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = physical_cores()
    # Threads that spin while they wait take their core from the language model.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # As above: whatever it raises, the file is not what it should be.
        raise ModelInvalid(
            f"{graph} cannot be loaded: {error}.", "Export it again: vaultbridge models export-onnx"
        ) from error


def _tokenizer(file: Path, max_tokens: int) -> Any:
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:
        # The library raises plain Exceptions.
        raise ModelInvalid(
            f"{file} cannot be read: {error}.", "Export it again: vaultbridge models export-onnx"
        ) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer
