"""A model that is loaded to be measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vaultbridge.catalog.gguf_header import GgufHeader
from vaultbridge.catalog.model_bytes import CACHE_TYPE, ModelBytes
from vaultbridge.core.errors import InvalidRequest
from vaultbridge.core.ports import Decoder
from vaultbridge.lab.decode_speed import ROOM, BareLoop
from vaultbridge.lab.report import Point

CPU = "cpu"


class Open(Protocol):
    """What makes a Decoder of a model file; ``gpu_layers`` 0: none, -1: all that fit."""

    def __call__(
        self,
        path: Path,
        name: str,
        context: int,
        *,
        slots: int,
        cache: int,
        threads: int,
        gpu_layers: int,
        kv_type: str,
    ) -> Decoder:
        """Load it."""


@dataclass(frozen=True, slots=True)
class Setup:
    """A model file and where it shall run.

    ``threads`` 0: as many as the backend takes by itself. ``gpu_layers`` hold for every device but the CPU.
    """

    path: Path
    name: str
    threads: int = 0
    device: str = CPU
    gpu_layers: int = -1
    cache_type: str = CACHE_TYPE


class Rig:
    """A loaded model, the figures of its file, and the loop that measures it."""

    def __init__(self, setup: Setup, decoder: Decoder, model: ModelBytes) -> None:
        self.decoder = decoder
        self._setup = setup
        self._model = model
        self._loop = BareLoop(decoder)
        self._ceilings: dict[int, float] = {}

    def point(self, label: str, depth: int, batch: int = 1) -> Point:
        """How fast the bare loop is at ``depth``, with as many sequences as ``batch`` says."""
        reached = self._loop.speed(batch, depth)
        if depth not in self._ceilings:
            self._ceilings[depth] = self._loop.ceiling(depth)
        return Point(
            label=label,
            way="decode loop",
            device=self._setup.device,
            threads=self._setup.threads,
            batch=batch,
            depth=depth,
            bits=self._model.bits,
            weights=self._model.weights(batch),
            cache=batch * self.cache(depth),
            reached=reached,
            compute=max(reached, self._ceilings[depth]),
        )

    def cache(self, depth: int) -> float:
        """Bytes of keys and values that one sequence reads for a token."""
        return self._model.cache(depth, self._setup.cache_type)


@contextmanager
def rig(open_decoder: Open, setup: Setup, depth: int, *, slots: int = 1, room: int = ROOM) -> Iterator[Rig]:
    """Load a model with space for ``slots`` sequences of ``depth`` tokens and ``room`` more, until the context ends.

    Raises InvalidRequest for more than the model was trained for.
    """
    header = GgufHeader.read(setup.path)
    context, trained = depth + room, header.get("context_length", 0)
    if trained and context > trained:
        raise InvalidRequest(
            f"{setup.name} was trained on {trained} tokens; {depth} and the {room} of a measurement are more.",
            f"Ask for --depth {max(0, trained - room)} at most.",
        )
    decoder = open_decoder(
        setup.path,
        setup.name,
        context,
        slots=slots,
        cache=slots * context,
        threads=setup.threads,
        gpu_layers=0 if setup.device == CPU else setup.gpu_layers,
        kv_type=setup.cache_type,
    )
    with closing(decoder):
        yield Rig(setup, decoder, ModelBytes.of(header))
