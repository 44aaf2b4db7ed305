"""How near decoding comes to the speed at which this machine reads memory: in one place, or along one axis."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vaultbridge.catalog.gguf_header import GgufHeader
from vaultbridge.catalog.model_bytes import ModelBytes
from vaultbridge.lab.bandwidth import read_bandwidth, thread_counts, usable_threads
from vaultbridge.lab.decode_speed import ROOM, answer_speed
from vaultbridge.lab.model_shape import Shape
from vaultbridge.lab.random_model import QUANTS, write_random_model
from vaultbridge.lab.report import Machine, Point, Report, Way
from vaultbridge.lab.rig import CPU, Open, Setup, rig

BATCHES = (1, 2, 4, 8, 16, 32)
DEPTH = 256
BATCH_DEPTH = 64
"""Less deep, since every sequence of the widest batch has to be brought there first."""
DEEPEST = 4096
ANSWER = 96
"""Tokens that the engine answers with."""
PROMPT = 512
"""Tokens by which the engine's prompt and answer may pass the depth asked for."""
_WAYS: Sequence[tuple[Way, bool]] = (("engine", False), ("engine, drafts", True))


class Bench:
    """One model on one machine, whose ``devices`` are named CPU first; ``say`` hears what is being measured.

    ``depth`` None: DEPTH, BATCH_DEPTH in a sweep over batches, DEEPEST as the end of one over depths. ``bandwidth``, in
    bytes a second, is counted with instead of what was measured; ``read`` measures it for several numbers of threads.
    """

    def __init__(
        self,
        open_decoder: Open,
        setup: Setup,
        devices: Sequence[str] = (CPU,),
        *,
        depth: int | None = None,
        bandwidth: float | None = None,
        say: Callable[[str], None] = lambda what: None,
        read: Callable[[Sequence[int]], Mapping[int, float]] = read_bandwidth,
    ) -> None:
        self._open = open_decoder
        self._setup = setup
        self._devices = tuple(devices)
        self._depth = DEPTH if depth is None else depth
        self._batch_depth = BATCH_DEPTH if depth is None else depth
        self._deepest = DEEPEST if depth is None else depth
        self._given = bandwidth
        self._say = say
        self._read = read
        self._header = GgufHeader.read(setup.path)

    def run(self, sweep: str = "") -> Report:
        """Measure one place, or a ``sweep``: quant, batch, depth, threads or device.

        The bandwidth is measured before and after, and the better one counts: other work on the machine must not make
        the limit look lower than it is. Raises InvalidRequest for a depth that the model does not reach.
        """
        places = {
            "": self._plain,
            "quant": self._quants,
            "batch": self._batches,
            "depth": self._depths,
            "threads": self._threads,
            "device": self._each_device,
        }
        counts = thread_counts(usable_threads())
        before = self._bandwidth(counts)
        points = list(places[sweep]())
        after = self._bandwidth(counts)
        machine = _machine(before, after, self._devices)
        return Report(
            name=self._setup.name,
            machine=machine,
            model=ModelBytes.of(self._header),
            cache_type=self._setup.cache_type,
            sweep=sweep,
            points=tuple(replace(point, bandwidth=self._counted(point, machine, sweep)) for point in points),
            given=self._given,
        )

    def _bandwidth(self, counts: Sequence[int]) -> Mapping[int, float]:
        self._say("reading memory")
        return self._read(counts)

    def _counted(self, point: Point, machine: Machine, sweep: str) -> float | None:
        """The bandwidth that a point is held against: of a device that is no CPU, only what we were told."""
        if point.device != CPU:
            return self._given
        if sweep == "threads":
            return machine.bandwidth[point.threads]
        return machine.best if sweep == "device" else self._given or machine.best

    # --- places and axes ----------------------------------------------------------------------------------------------

    def _plain(self) -> Iterator[Point]:
        """The bare loop, then answers through the engine, without drafts and with them."""
        with rig(self._open, self._setup, self._depth, room=PROMPT) as place:
            self._say("decode loop")
            bare = place.point("", self._depth)
            yield bare
            for way, drafts in _WAYS:
                self._say(way)
                answer = answer_speed(place.decoder, self._depth, ANSWER, drafts=drafts)
                yield replace(
                    bare,
                    way=way,
                    depth=answer.depth,
                    cache=place.cache(answer.depth),
                    reached=answer.speed,
                    drafted=answer.drafted,
                    accepted=answer.accepted,
                )

    def _quants(self) -> Iterator[Point]:
        """The file as it is, and random weights in its shape, most bits first."""
        shape = Shape.of(self._header)
        points = [self._one("the file", self._setup)]
        with tempfile.TemporaryDirectory(prefix="vaultbridge-bench-") as scratch:
            file = Path(scratch, "random.gguf")
            for quant in QUANTS:
                self._say(f"{quant}: writing random weights")
                write_random_model(file, shape, quant)
                points.append(self._one(quant, replace(self._setup, path=file)))
        yield from sorted(points, key=lambda point: -point.bits)

    def _batches(self) -> Iterator[Point]:
        """Ever more sequences; what any of them reached, the others could compute too."""
        depth, points = self._batch_depth, []
        with rig(self._open, self._setup, depth, slots=max(BATCHES)) as place:
            for batch in BATCHES:
                self._say(f"batch {batch}")
                points.append(place.point(str(batch), depth, batch))
        compute = max(point.compute for point in points)
        yield from (replace(point, compute=compute) for point in points)

    def _depths(self) -> Iterator[Point]:
        """From nothing to the deepest, each twice as deep as the one before."""
        trained = self._header.get("context_length", self._deepest + ROOM)
        deepest = min(self._deepest, trained - ROOM)
        with rig(self._open, self._setup, deepest) as place:
            for depth in sorted({0, *(deepest >> halved for halved in range(5))}):
                self._say(f"depth {depth}")
                yield place.point(str(depth), depth)

    def _threads(self) -> Iterator[Point]:
        for count in thread_counts(usable_threads()):
            yield self._one(str(count), replace(self._setup, threads=count))

    def _each_device(self) -> Iterator[Point]:
        for device in self._devices:
            yield self._one(device, replace(self._setup, device=device))

    def _one(self, label: str, setup: Setup) -> Point:
        """One sequence of a model that is loaded for it alone."""
        self._say(label)
        with rig(self._open, setup, self._depth) as place:
            return place.point(label, self._depth)


def _machine(before: Mapping[int, float], after: Mapping[int, float], devices: tuple[str, ...]) -> Machine:
    low, high = sorted((max(before.values()), max(after.values())))
    return Machine({count: max(before[count], after[count]) for count in before}, devices, low / high)
