"""From a FlagEmbedding model to one ONNX graph with all its heads, and from that to one with weights of 8 bits."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model

from vaultbridge.core.search import Vector

INPUTS = ("input_ids", "attention_mask")
_OPSET = 17
"""From here on LayerNormalization is one operator, and all that the graph needs is in it."""
_MOST_BYTES = 1 << 30
"""A file of the format holds two gigabytes; weights of more than half of that are kept beside it."""
_SMOOTHING = 0.7
"""How much of a channel's outliers moves from activations into weights (alpha in SmoothQuant, Xiao et al. 2023)."""
_LEAST = 1e-5
_MATRICES = ("MatMul", "Attention")
_CONTRIBUTED = "com.microsoft"
"""The domain of the fused operators."""


class M3Heads(torch.nn.Module):  # type: ignore[misc]
    """BGE-M3's three outputs, as the library computes them, for padded ``(texts, tokens)`` of ids and their mask."""

    outputs = ("dense", "sparse", "multi")

    def __init__(self, flag: Any) -> None:
        super().__init__()
        self.backbone, self.model = flag.model.model, flag.model

    def forward(self, input_ids: Any, attention_mask: Any) -> tuple[Any, ...]:
        """Dense vectors, weights of the tokens, and a vector for every token but the first."""
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        out = self.model(inputs, return_dense=True, return_sparse=True, return_colbert_vecs=True)
        return out["dense_vecs"], out["sparse_vecs"], out["colbert_vecs"]


class DenseHead(torch.nn.Module):  # type: ignore[misc]
    """The pooled vectors of a BERT-style model, of length 1; inputs as for ``M3Heads``."""

    outputs = ("dense",)

    def __init__(self, flag: Any) -> None:
        super().__init__()
        self.backbone, self.pooling = flag.model, flag.pooling

    def forward(self, input_ids: Any, attention_mask: Any) -> tuple[Any, ...]:
        """Dense vectors."""
        hidden = self.backbone(input_ids=input_ids, attention_mask=attention_mask, return_dict=True).last_hidden_state
        return (torch.nn.functional.normalize(self.pooling(hidden, attention_mask), dim=-1),)


def write_graph(heads: M3Heads | DenseHead, pad: int, path: Path) -> None:
    """Write the graph with its attention, norms and activations fused. ``pad`` is the id of padding.

    The fusions know plain attention as torch's tracing exporter writes it, not what its newer exporter makes.
    """
    heads.backbone.set_attn_implementation("eager")
    ids = torch.tensor([[5] * 9, [5] * 5 + [pad] * 4])
    axes = {name: {0: "texts", 1: "tokens"} for name in INPUTS}
    axes |= {name: {0: "texts", 1: name} for name in heads.outputs if name != "dense"} | {"dense": {0: "texts"}}
    config = heads.backbone.config
    options = FusionOptions("bert")
    options.enable_embed_layer_norm = False  # it would hide the tables of embeddings from ``write_int8``
    # What is larger than a file may be is written as one file a tensor.
    with TemporaryDirectory(dir=path.parent) as work, _quiet():
        traced = Path(work) / path.name
        torch.onnx.export(
            heads.eval(),
            (ids, (ids != pad).long()),
            str(traced),
            input_names=list(INPUTS),
            output_names=list(heads.outputs),
            dynamic_axes=axes,
            opset_version=_OPSET,
            dynamo=False,
        )
        heads_count, width = config.num_attention_heads, config.hidden_size
        model = optimize_model(str(traced), "bert", heads_count, width, options, opt_level=0).model
        _know_fused(model)
        _save(model, path)


def write_int8(path: Path, smaller: Path, samples: Sequence[Sequence[int]]) -> None:
    """Write the graph at ``path`` with weights of 8 bits: a scale a column of matrices, and a row of tables.

    Activations get one scale a pass, so outliers in a few channels would leave little for the others: the tokens of
    ``samples`` show which these are. The heads stay as they are: they are small, and nothing behind them evens out
    what they say.
    """
    model = onnx.load(path)
    heads = _heads_of(model.graph)
    uses = Counter(name for node in model.graph.node for name in node.input)
    weights = {tensor.name: tensor for tensor in model.graph.initializer if uses[tensor.name] == 1}
    matrices = [
        node
        for node in model.graph.node
        if node.op_type in _MATRICES and node.input[1] in weights and node.name not in heads
    ]
    greatest = _greatest(path, [node.input[0] for node in matrices], samples)
    for node in matrices:
        _smooth(model.graph, node, weights[node.input[1]], greatest[node.input[0]])
    for node in [node for node in model.graph.node if node.op_type == "Gather"]:
        _shrink_table(model.graph, node)
    with _quiet():
        quantize_dynamic(
            model,
            smaller,
            op_types_to_quantize=list(_MATRICES),
            per_channel=True,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=heads,
            extra_options={"DefaultTensorType": TensorProto.FLOAT},  # the types of fused operators are not inferred
        )


def _greatest(path: Path, names: Sequence[str], samples: Sequence[Sequence[int]]) -> Mapping[str, Vector]:
    """The greatest magnitude in each channel of the graph's tensors of these ``names``, over the samples."""
    probe = onnx.load(path, load_external_data=False)
    wanted = list(dict.fromkeys(names))
    probe.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in wanted)
    place = path.with_suffix(".probe.onnx")  # beside the weights, which the graph names by their file
    onnx.save_model(probe, place)
    try:
        session = onnxruntime.InferenceSession(str(place), providers=["CPUExecutionProvider"])
    finally:
        place.unlink()
    greatest: dict[str, Vector] = {}
    for tokens in samples:
        ids = np.array([tokens], np.int64)
        inputs = dict(zip(INPUTS, (ids, np.ones_like(ids)), strict=True))
        for name, values in zip(wanted, session.run(wanted, inputs), strict=True):
            channels = np.abs(values[0]).max(0)
            greatest[name] = np.maximum(greatest.get(name, channels), channels)
    return greatest


def _smooth(graph: Any, node: Any, weights: Any, greatest: Vector) -> None:
    """Divide the channels of what ``node`` multiplies by a part of their magnitude, and multiply its weights by it."""
    matrix = numpy_helper.to_array(weights)
    rows = np.maximum(np.abs(matrix).max(1), _LEAST)
    factors = np.maximum(greatest, _LEAST) ** _SMOOTHING / rows ** (1 - _SMOOTHING)
    factors = (factors / np.exp(np.log(factors).mean())).astype(np.float32)
    weights.CopyFrom(numpy_helper.from_array(matrix * factors[:, None], weights.name))
    name = f"{node.name}.smooth"
    graph.initializer.append(numpy_helper.from_array(1 / factors, name))
    step = helper.make_node("Mul", [node.input[0], name], [f"{name}.output"], f"{name}.scaled")
    graph.node.insert(list(graph.node).index(node), step)
    node.input[0] = step.output[0]


def _shrink_table(graph: Any, node: Any) -> None:
    """Keep the rows that ``node`` gathers, if they are floating point, in 8 bits with a scale each."""
    found = next((tensor for tensor in graph.initializer if tensor.name == node.input[0]), None)
    if found is None or found.data_type != TensorProto.FLOAT or len(found.dims) != 2:
        return
    table = numpy_helper.to_array(found)
    scales = np.maximum(np.abs(table).max(1, keepdims=True), np.finfo(np.float32).tiny) / 127
    name = found.name
    rows, row_scales = f"{name}.int8", f"{name}.scales"
    graph.initializer.remove(found)
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.rint(table / scales).astype(np.int8), rows),
            numpy_helper.from_array(scales.astype(np.float32), row_scales),
        ]
    )
    steps = [
        helper.make_node("Gather", [rows, node.input[1]], [f"{rows}.gathered"], f"{rows}.gather"),
        helper.make_node("Gather", [row_scales, node.input[1]], [f"{row_scales}.gathered"], f"{row_scales}.gather"),
        helper.make_node("Cast", [f"{rows}.gathered"], [f"{rows}.cast"], f"{rows}.to_float", to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{rows}.cast", f"{row_scales}.gathered"], [node.output[0]], f"{name}.scaled"),
    ]
    at = list(graph.node).index(node)
    graph.node.remove(node)
    for step in reversed(steps):
        graph.node.insert(at, step)


def _heads_of(graph: Any) -> list[str]:
    """The nodes behind the last norm."""
    made = {output: node for node in graph.node for output in node.output}
    found: set[str] = set()
    waiting = [output.name for output in graph.output]
    while waiting:
        node = made.get(waiting.pop())
        if node is not None and "LayerNormalization" not in node.op_type and node.name not in found:
            found.add(node.name)
            waiting.extend(node.input)
    return sorted(found)


def _know_fused(model: Any) -> None:
    if all(known.domain != _CONTRIBUTED for known in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_CONTRIBUTED, 1))


def _save(model: Any, path: Path) -> None:
    size = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    beside = f"{path.name}.data" if size > _MOST_BYTES else None
    onnx.save_model(model, path, save_as_external_data=beside is not None, location=beside)


@contextmanager
def _quiet() -> Iterator[None]:
    """The libraries tell every step, and warn of what is meant to be as it is."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
