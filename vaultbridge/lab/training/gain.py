"""What a tuned model changes, query by query: the proof of a run, kept beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from vaultbridge.core.errors import ConfigError
from vaultbridge.lab.measures import NDCG, Interval, Values, interval
from vaultbridge.lab.training.proof import PROVED, Scores

FILE = "proof.json"
"""Its name, in the folder of the run."""
ALL = "all"
"""Every query of a split, whatever its kind."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure of the same ``queries`` by two models; ``gain`` is the interval of the paired differences."""

    queries: int
    before: Interval
    after: Interval
    gain: Interval


Table = Mapping[str, Mapping[str, Comparison]]
"""Comparisons by kind of query, or by collection, and by measure."""


def compare(before: Scores, after: Scores) -> dict[str, dict[str, Comparison]]:
    """Each kind's measures, and those of ``all``. Raises ValueError for other queries."""
    if dict(before.queries) != dict(after.queries):
        raise ValueError("only the same queries can be compared")
    kinds = {
        kind: {measure: _compared(values[measure], after.values[kind][measure]) for measure in PROVED}
        for kind, values in before.values.items()
    }
    overall = {measure: _compared(before.overall(measure), after.overall(measure)) for measure in PROVED}
    return {**kinds, ALL: overall}


def _compared(before: Values, after: Values) -> Comparison:
    return Comparison(len(before), interval(before), interval(after), interval(after - before))


@dataclass(frozen=True, slots=True)
class Proof:
    """Before and after, by split; what was not measured is empty.

    ``base`` and ``tuned`` are the models' names, ``weights`` the digest of the tuned one's. ``general`` has a row for
    each collection, ``pipeline`` the test queries through all lanes, fused.
    """

    base: str
    tuned: str
    weights: str
    validation: Table
    test: Table = field(default_factory=dict)
    general: Table = field(default_factory=dict)
    pipeline: Table = field(default_factory=dict)

    @property
    def gain(self) -> Interval:
        """What validation says of nDCG."""
        return self.validation[ALL][NDCG].gain

    @property
    def holds(self) -> bool:
        """Whether validation improved by more than chance explains."""
        return self.gain.low > 0

    def write(self, run: Path) -> None:
        """Keep it in the folder of a run."""
        draft = run / f".{FILE}"
        draft.write_bytes(_PROOF.dump_json(self, indent=2) + b"\n")
        draft.replace(run / FILE)


_PROOF = TypeAdapter(Proof)


def read_proof(run: Path, weights: str) -> Proof | None:
    """The proof of a run, if there is one of these very weights. Raises ConfigError for one that cannot be read."""
    try:
        proof = _PROOF.validate_json((run / FILE).read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise ConfigError(f"{run / FILE} cannot be read.", f"Make it anew: vaultbridge train report {run}") from error
    return proof if proof.weights == weights else None
