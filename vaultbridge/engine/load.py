"""From the name of a backend to a worker around it: the child's first step, so it imports only what that takes."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from vaultbridge.core.errors import BackendUnknown
from vaultbridge.core.ports import Decoder, Embedder, Reranker
from vaultbridge.engine.engine import Engine
from vaultbridge.engine.worker import EmbedderWorker, GeneratorWorker, RerankerWorker


def load_class(target: str) -> Any:
    """What ``package.module:Class`` names. Raises BackendUnknown."""
    module, _, attribute = target.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise BackendUnknown(f"There is no backend {target!r} ({error}).", "Name it package.module:Class.") from error


def load_generator(
    target: str, args: tuple[Any, ...], options: Mapping[str, Any], *, drafts: bool = True
) -> GeneratorWorker:
    """A generator's worker around a Decoder, its batches timed once."""
    decoder: Decoder = load_class(target)(*args, **options)
    engine = Engine(decoder, drafts=drafts)
    engine.calibrate()
    return GeneratorWorker(engine)


def load_embedder(target: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> EmbedderWorker:
    """An embedder's worker around an Embedder."""
    embedder: Embedder = load_class(target)(*args, **options)
    return EmbedderWorker(embedder)


def load_reranker(
    target: str, args: tuple[Any, ...], options: Mapping[str, Any], *, whole: bool = False
) -> RerankerWorker:
    """A reranker's worker around a Reranker; ``whole``: it scores all passages at once."""
    reranker: Reranker = load_class(target)(*args, **options)
    return RerankerWorker(reranker, whole=whole)
