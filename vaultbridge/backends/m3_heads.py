"""From BGE-M3's three outputs, padded, to embeddings."""

from __future__ import annotations

from collections.abc import Sequence, Set

from vaultbridge.core.search import Embedding, Vector

HEADS = ("sparse_linear.pt", "colbert_linear.pt")
"""The files of the heads beside the dense one, which tell a BGE-M3 folder from others."""


def embeddings(
    ids: Sequence[Sequence[int]], dense: Vector, weights: Vector, multi: Vector | None, special: Set[int]
) -> list[Embedding]:
    """One embedding for each text of token ``ids``, without padding.

    ``dense``: ``(texts, dimensions)``. ``weights``: ``(texts, tokens, 1)``. ``multi``: ``(texts, tokens - 1,
    dimensions)``, since that head leaves out the first token. ``special`` tokens have no weight.
    """
    return [
        Embedding(
            dense[row],
            _sparse(tokens, weights[row, : len(tokens), 0], special),
            None if multi is None else multi[row, : len(tokens) - 1].copy(),
        )
        for row, tokens in enumerate(ids)
    ]


def _sparse(tokens: Sequence[int], weights: Vector, special: Set[int]) -> dict[int, float]:
    """The greatest weight of each token, as BGE-M3's lexical matching has it."""
    sparse: dict[int, float] = {}
    for token, weight in zip(tokens, weights.tolist(), strict=True):
        if weight > 0 and token not in special:
            sparse[token] = max(weight, sparse.get(token, 0.0))
    return sparse
