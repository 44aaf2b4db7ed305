"""How fast a model will answer, told from its header and from how fast this computer reads memory."""

from __future__ import annotations

from collections.abc import Mapping

from vaultbridge.catalog.model_bytes import CACHE_TYPE, ModelBytes

COSTS: Mapping[str, float] = {
    "f32": 0.0,
    "f16": 0.007e-9,
    "q8_0": 0.022e-9,
    "q6_k": 0.018e-9,
    "q5_k": 0.049e-9,
    "q5_0": 0.070e-9,
    "q4_k": 0.045e-9,
    "q4_0": 0.039e-9,
    "q4_1": 0.084e-9,
    "q3_k": 0.087e-9,
    "q2_k": 0.070e-9,
}
"""Seconds that one core multiplies with a byte of weights, beside the time in which it is read.

Measured with AVX-512 kernels, on shapes of our own, and set between what two computers gave, whose cores differed by
three quarters.
"""
USUAL_COST = 0.056e-9
LAYER_SECONDS = 1e-4
"""What a layer takes beside its weights: norms, attention, threads that wait for each other."""
TOKEN_SECONDS = 5e-4
"""What a token takes beside the model: sampling, and the engine's own step."""


def seconds(size: float, type_: str, bandwidth: float, threads: int) -> float:
    """How long it takes to read and to multiply with ``size`` bytes of weights of a type."""
    return size / bandwidth + size * COSTS.get(type_, USUAL_COST) / threads


def expected_speed(
    model: ModelBytes, bandwidth: float, threads: int, depth: int, cache_type: str = CACHE_TYPE
) -> float:
    """Tokens a second of one answer with ``depth`` tokens before it; ``bandwidth`` in bytes a second."""
    weights = sum(seconds(size, type_, bandwidth, threads) for type_, size in model.types.items())
    cache = seconds(model.cache(depth, cache_type), cache_type, bandwidth, threads)
    return 1 / (weights + cache + len(model.layers) * LAYER_SECONDS + TOKEN_SECONDS)
