"""How fast a model will answer, told from its header and from how fast this computer reads memory."""

from __future__ import annotations

from collections.abc import Mapping

from vaultbridge.catalog.model_bytes import CACHE_TYPE, ModelBytes

SHARES: Mapping[str, float] = {}
"""Of the speed at which memory is read, what is left where the weights of a type are multiplied with on the way."""
OTHER = 0.5
"""The share of a type that is not measured."""
CACHE = 0.5
"""The share of keys and values."""
LAYER_SECONDS = 1e-4
"""What a layer takes beside reading: threads that wait for each other between its steps."""


def expected_speed(model: ModelBytes, bandwidth: float, depth: int, cache_type: str = CACHE_TYPE) -> float:
    """Tokens a second of one answer with ``depth`` tokens before it; ``bandwidth`` in bytes a second."""
    weights = sum(size / SHARES.get(type_, OTHER) for type_, size in model.types.items())
    reading = (weights + model.cache(depth, cache_type) / CACHE) / bandwidth
    return 1 / (reading + len(model.layers) * LAYER_SECONDS)
