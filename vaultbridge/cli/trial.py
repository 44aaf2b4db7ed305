"""``vaultbridge doctor --deep``: every model that is here does its work once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

import numpy as np

from vaultbridge.cli.checks import Check
from vaultbridge.core.dialogue import Continuation, Failed, Finished, GroundedPrompt, Sampling
from vaultbridge.core.errors import DecodeFailed, EmbedFailed, VaultbridgeError
from vaultbridge.core.search import Vector
from vaultbridge.engine.activity import Activity
from vaultbridge.engine.batcher import Batcher
from vaultbridge.engine.generator import HostedGenerator
from vaultbridge.engine.host import Host
from vaultbridge.engine.reranker import HostedReranker

if TYPE_CHECKING:
    from vaultbridge.catalog.catalog import ModelRole
    from vaultbridge.catalog.supply import Model
    from vaultbridge.settings import Settings

QUESTIONS = ("What is BGE M3?", "Defination of BM25")
ANSWERS = (
    "BGE M3 is an embedding model supporting dense retrieval, lexical matching and multi-vector interaction.",
    "BM25 is a bag-of-words retrieval function that ranks a set of documents based on the query terms appearing in "
    "each document",
)
PUBLISHED: Mapping[str, Sequence[Sequence[float]]] = {"bge-m3": ((0.626, 0.348), (0.350, 0.678))}
"""What a model's card says of the questions (rows) and the answers, spelling mistake and all."""
TOLERANCE = 0.01
_DEADLINE = 600.0
_TOKENS = 16
_REMEDY = "Fetch it again, or choose another: vaultbridge models list"


async def try_model(role: ModelRole, model: Model, settings: Settings) -> Check:
    """Load a model, let it do what it is for, and end its process."""
    from vaultbridge.builds import build_of

    name = f"{role} {model.name}"
    host = Host(role, await asyncio.to_thread(build_of, role, model, settings))
    try:
        begun = time.monotonic()
        await host.ready()
        loaded = f"loaded in {time.monotonic() - begun:.1f} s"
        if role == "embedder":
            similarity = await _similarities(host)
            runtime, apart = _runtime(model, settings)
            # What 8 bits change is known, and no sign of damage.
            wrong = "" if apart else departure(model.name, similarity)
            return Check(name, f"{loaded} by {runtime}, {_told(similarity)}{apart}", wrong)
        said = await (_rerank(model.name, host) if role == "reranker" else _generate(model.name, host))
        return Check(name, f"{loaded}, {said}")
    except VaultbridgeError as error:
        return Check(name, error.message, error.hint or _REMEDY)
    finally:
        await host.close()


def departure(name: str, similarity: Vector) -> str:
    """What to do about an embedder that does not give what its card says; empty if it does, or there is no card."""
    published = PUBLISHED.get(name)
    if published is None or np.abs(similarity - np.array(published)).max() <= TOLERANCE:
        return ""
    return f"Its card says {_told(np.array(published))}. {_REMEDY}"


def _runtime(model: Model, settings: Settings) -> tuple[str, str]:
    """What computes an embedder, and what 8 bits change in what it gives; empty: nothing."""
    from vaultbridge.backends.onnx_folder import read_sheet
    from vaultbridge.builds import as_run

    run = as_run(model, settings.models.embedder_runtime)
    if run.options.get("precision") != "int8":
        return run.backend, ""
    agreement = read_sheet(run.path).agreement["int8"]
    return "onnx-int8", f"; 8 bits change scores by {agreement.score:.3f} at most (cosine {agreement.cosine:.3f})"


async def _similarities(host: Host) -> Vector:
    """Of the questions, in rows, with the answers."""
    embeddings = Batcher(host, Activity())
    try:
        questions = await embeddings.embed(QUESTIONS, "query")
        answers = await embeddings.embed(ANSWERS, "document")
    finally:
        await embeddings.close()
    similarity: Vector = np.stack([one.dense for one in questions]) @ np.stack([one.dense for one in answers]).T
    return similarity


def _told(similarity: Vector) -> str:
    rows = (", ".join(f"{value:.3f}" for value in row) for row in similarity)
    return f"similarities [{'], ['.join(rows)}]"


async def _rerank(name: str, host: Host) -> str:
    scores = await HostedReranker(name, host, Activity()).score(QUESTIONS[0], ANSWERS)
    if scores[0] <= scores[1]:
        raise EmbedFailed(f"It puts the wrong answer first ({scores[0]:.3f} and {scores[1]:.3f}).", _REMEDY)
    return f"puts the right answer first ({scores[0]:.3f} and {scores[1]:.3f})"


async def _generate(name: str, host: Host) -> str:
    generator = HostedGenerator(name, host, Activity(), 1, _DEADLINE)
    prompt = GroundedPrompt(Continuation(ANSWERS[0]))
    sampling = Sampling(temperature=0.0, max_tokens=_TOKENS, ignore_eos=True)
    async with aclosing(generator.stream(prompt, sampling)) as events:
        async for event in events:
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Finished):
                speed = 1000 * (event.usage.completion_tokens - 1) / max(event.timings.decode_ms, 0.1)
                return f"{speed:.1f} tokens/s"
    raise DecodeFailed("It gave no answer.", _REMEDY)
