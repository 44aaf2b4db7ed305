"""From the name of a backend to a worker around it: the child's first step, so it imports only what that takes."""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from vaultbridge.core.errors import BackendUnknown, VaultbridgeError
from vaultbridge.core.ports import Decoder, Embedder, Reranker
from vaultbridge.engine.draft_model import DraftModel
from vaultbridge.engine.engine import Engine
from vaultbridge.engine.worker import EmbedderWorker, GeneratorWorker, RerankerWorker

log = logging.getLogger(__name__)


def load_class(target: str) -> Any:
    """What ``package.module:Class`` names. Raises BackendUnknown."""
    module, _, attribute = target.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise BackendUnknown(f"There is no backend {target!r} ({error}).", "Name it package.module:Class.") from error


def load_decoder(target: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> Decoder:
    """A Decoder."""
    decoder: Decoder = load_class(target)(*args, **options)
    return decoder


def load_generator(
    target: str,
    args: tuple[Any, ...],
    options: Mapping[str, Any],
    *,
    drafts: bool = True,
    draft: Callable[[], Decoder] | None = None,
) -> GeneratorWorker:
    """A generator's worker around a Decoder, its batches timed once; ``draft`` loads the model that guesses for it."""
    decoder = load_decoder(target, args, options)
    draft_model = _draft_model(draft, decoder) if draft and drafts else None
    engine = Engine(decoder, drafts=drafts, draft_model=draft_model)
    engine.calibrate()
    return GeneratorWorker(engine)


def _draft_model(load: Callable[[], Decoder], decoder: Decoder) -> DraftModel | None:
    """None, and why in the log, if it cannot be had: answers are the same without it."""
    if not decoder.rewinds:
        log.warning("the draft model is not loaded: %s cannot take tokens back", decoder.info.name)
        return None
    try:
        draft = load()
    except VaultbridgeError as error:
        log.warning("the draft model cannot be loaded: %s", error)
        return None
    if not draft.rewinds:
        log.warning("%s cannot draft: it cannot take tokens back", draft.info.name)
        draft.close()
        return None
    return DraftModel(draft, decoder.vocabulary, time.monotonic)


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
