"""``python -m vaultbridge.lab.random_model SHAPE QUANT FILE``: a model of random weights that llama.cpp loads and runs.

It says nothing sensible, but at the speed of a real one: how long a step takes depends on the shape and on the bits per
weight, not on the weights. Vectors are ones, biases and all, so that nothing overflows on its way through the layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, BinaryIO

import numpy as np
import numpy.typing as npt
import typer
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter, TokenType

from vaultbridge.core.errors import InvalidRequest
from vaultbridge.lab.model_shape import Shape

SCALES: Mapping[str, Mapping[int, float]] = {
    "q8_0": {0: 2.7e-4},
    "q6_k": {208: 1.5e-5},
    "q5_k": {0: 5e-5, 2: 8e-4},
    "q5_1": {0: 2.2e-3, 2: -3.4e-2},
    "q5_0": {0: 2.2e-3},
    "q4_k": {0: 1e-4, 2: 8e-4},
    "q4_1": {0: 4.3e-3, 2: -3.2e-2},
    "q4_0": {0: 4.3e-3},
    "q3_k": {108: 4.7e-4},
    "q2_k": {80: 1.7e-3, 82: 2.5e-3},
}
"""Where in a block of a type its scales stand (half precision), and values that make weights of about ±0.02."""
QUANTS = ("f16", *SCALES)
_NARROW: Mapping[str, str] = {"q6_k": "q8_0", "q5_k": "q5_1", "q4_k": "q5_0", "q3_k": "q4_0", "q2_k": "q4_0"}
"""What llama.cpp takes for rows that are no multiple of 256 long (``tensor_type_fallback``)."""
_PIECE = 1 << 24
_ALIGNMENT = 32
_CONTROL = ("<unk>", "<s>", "</s>")


def write_random_model(path: Path, shape: Shape, quant: str, seed: int = 0) -> None:
    """Write a GGUF file with every matrix in ``quant``, a few megabytes in memory at a time.

    Raises InvalidRequest for a type that is not in QUANTS or does not fit the shape.
    """
    if quant not in QUANTS:
        raise InvalidRequest(f"There is no weight type {quant}.", f"Known are {', '.join(QUANTS)}.")
    matrices = [(name, size, _fitting(quant, size[0])) for name, size in shape.matrices()]
    tensors = [*matrices, *((name, size, "f32") for name, size in shape.vectors())]
    writer = GGUFWriter(path, shape.architecture)
    _describe(writer, shape, f"random {quant}")
    for name, size, type_ in tensors:
        kind = GGMLQuantizationType[type_.upper()]
        writer.add_tensor_info(name, size[::-1], np.dtype(np.float32), _bytes(size, type_), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    rng = np.random.default_rng(seed)
    with path.open("ab") as file:
        _align(file)
        for _, size, type_ in tensors:
            for piece in _pieces(_bytes(size, type_), type_, rng):
                file.write(piece.data)
            _align(file)


def _describe(writer: GGUFWriter, shape: Shape, name: str) -> None:
    """The metadata, and a vocabulary of the right size: control tokens, bytes, a space, then made-up words."""
    writer.add_name(name)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.embedding)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head)
    writer.add_value_length(shape.head)
    writer.add_rope_dimension_count(shape.head)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(shape.vocabulary)
    if shape.window:
        writer.add_sliding_window(shape.window)
    if shape.experts:
        writer.add_expert_count(shape.experts)
        writer.add_expert_used_count(shape.used)
        writer.add_expert_feed_forward_length(shape.feed_forward)
    words = ["▁", *(f"▁w{number}" for number in range(1, shape.vocabulary - len(_CONTROL) - 256))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list([*_CONTROL, *(f"<0x{byte:02X}>" for byte in range(256)), *words])
    writer.add_token_scores([-float(rank) for rank in range(shape.vocabulary)])
    kinds = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL, *[TokenType.BYTE] * 256]
    writer.add_token_types([*kinds, *[TokenType.NORMAL] * len(words)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)


def _fitting(quant: str, row: int) -> str:
    """The type for rows of this length."""
    for type_ in (quant, _NARROW.get(quant, quant)):
        if row % GGML_QUANT_SIZES[GGMLQuantizationType[type_.upper()]][0] == 0:
            return type_
    raise InvalidRequest(f"Rows of {row} weights cannot be stored as {quant}.", "Choose f16.")


def _bytes(shape: tuple[int, ...], type_: str) -> int:
    block, size = GGML_QUANT_SIZES[GGMLQuantizationType[type_.upper()]]
    return int(np.prod(shape)) // block * size


def _pieces(total: int, type_: str, rng: np.random.Generator) -> Iterator[npt.NDArray[np.uint8]]:
    """Random blocks of a type, ``total`` bytes in all: random bytes, with sane numbers where there are scales."""
    size = GGML_QUANT_SIZES[GGMLQuantizationType[type_.upper()]][1]
    for done in range(0, total, _PIECE // size * size):
        count = min(_PIECE // size, (total - done) // size)
        blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
        if type_ == "f32":
            blocks.view("<f4")[:] = 1
        elif type_ == "f16":  # any sign and mantissa, one exponent: 2^-6
            halves = blocks.view("<u2")
            halves[:] = halves & 0x83FF | 0x2400
        for offset, scale in SCALES.get(type_, {}).items():
            blocks[:, offset : offset + 2] = np.frombuffer(np.array(scale, "<f2").tobytes(), np.uint8)
        yield blocks


def _align(file: BinaryIO) -> None:
    file.write(bytes(-file.tell() % _ALIGNMENT))


def main(
    shape: Annotated[str, typer.Argument(help="A well-known model: gemma-2b, llama-3.2-1b, …")],
    quant: Annotated[str, typer.Argument(help="The type of its matrices: q8_0, q4_0, f16, …")],
    file: Annotated[Path, typer.Argument(help="Where to write it; it grows as large as the real one.")],
) -> None:
    """Write a model of random weights."""
    write_random_model(file, Shape.named(shape), quant)


if __name__ == "__main__":
    typer.run(main)
