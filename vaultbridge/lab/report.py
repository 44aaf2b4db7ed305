"""What a benchmark found: speeds, and the limits that they are held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from vaultbridge.catalog.model_bytes import ModelBytes

Way = Literal["decode loop", "engine", "engine, drafts"]


@dataclass(frozen=True, slots=True)
class Point:
    """One speed (``reached``, tokens a second of all sequences together) and what it was measured with.

    ``label`` is its place in a sweep; ``threads`` 0: as many as the backend takes by itself. ``weights`` and
    ``cache`` are the bytes that a step reads, ``bits`` those of one weight. ``bandwidth`` is None for a device whose
    memory we cannot measure. ``compute``: tokens a second, in the same place, of batches so wide that reading hardly
    counts. ``drafted`` and ``accepted`` count tokens.
    """

    label: str
    way: Way
    device: str
    threads: int
    batch: int
    depth: int
    bits: float
    weights: float
    cache: float
    reached: float
    compute: float
    bandwidth: float | None = None
    drafted: int = 0
    accepted: int = 0

    @property
    def limit(self) -> float | None:
        """Tokens a second if a step reads everything once and nothing else takes time."""
        return self.batch * self.bandwidth / (self.weights + self.cache) if self.bandwidth else None

    @property
    def percent(self) -> float | None:
        """How much of the read limit was reached; drafts may pass it, since they read once for several tokens."""
        return 100 * self.reached / self.limit if self.limit else None

    @property
    def bound(self) -> Literal["reading", "computing"] | None:
        """Which of the two limits is the lower one."""
        if self.limit is None:
            return None
        return "reading" if self.limit <= self.compute else "computing"


@dataclass(frozen=True, slots=True)
class Machine:
    """``bandwidth``: bytes a second by the number of threads that read; ``devices`` that the backend could run on.

    ``steadiness``: the lower of the best bandwidths before and after the measurement, as a part of the higher one.
    """

    bandwidth: Mapping[int, float]
    devices: tuple[str, ...]
    steadiness: float

    @property
    def best(self) -> float:
        """The most that it reads, in bytes a second."""
        return max(self.bandwidth.values())


@dataclass(frozen=True, slots=True)
class Report:
    """A run: ``sweep`` is what its points differ in, empty for the one place that a plain run looks at.

    ``given``: the bandwidth, in bytes a second, that was named instead of measured.
    """

    name: str
    machine: Machine
    model: ModelBytes
    cache_type: str
    sweep: str
    points: tuple[Point, ...]
    given: float | None = None

    @property
    def takeover(self) -> float | None:
        """The batch in which computing takes as long as reading the weights: from there on more of them bring nothing.

        None where the points are of several models or devices.
        """
        bandwidths = [point.bandwidth for point in self.points if point.bandwidth]
        if self.sweep not in ("", "batch", "depth") or not bandwidths:
            return None
        return max(point.compute for point in self.points) * self.model.weights() / max(bandwidths)

    def document(self) -> dict[str, Any]:
        """All of it for JSON, in bytes, seconds and tokens."""
        model = self.model
        return {
            "model": {
                "name": self.name,
                "architecture": model.architecture,
                "weights": model.parameters,
                "weights_read": model.active,
                "bits_per_weight": model.bits,
                "tied_embedding": model.tied,
                "experts": model.count,
                "experts_used": model.used,
                "bytes_per_token": model.weights(),
                "cache_type": self.cache_type,
                "cache_bytes_per_position": model.cache(1, self.cache_type),
            },
            "machine": {
                "read_bandwidth": {str(threads): rate for threads, rate in self.machine.bandwidth.items()},
                "read_bandwidth_given": self.given,
                "steadiness": self.machine.steadiness,
                "devices": list(self.machine.devices),
            },
            "sweep": self.sweep or None,
            "takeover_batch": self.takeover,
            "points": [
                asdict(point) | {"limit": point.limit, "percent": point.percent, "bound": point.bound}
                for point in self.points
            ],
        }
