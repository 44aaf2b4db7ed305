"""What ``train report`` and ``train promote`` measure, with their progress bars."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vaultbridge.cli.console import progress_bar
from vaultbridge.cli.options import settings_of
from vaultbridge.core.errors import ConfigError

if TYPE_CHECKING:
    from vaultbridge.lab.cases import Case
    from vaultbridge.lab.measures import Values
    from vaultbridge.lab.training.gain import Proof
    from vaultbridge.lab.training.proof import Scores
    from vaultbridge.lab.training.proving import Questions
    from vaultbridge.lab.training.run import Run
    from vaultbridge.place import Place
    from vaultbridge.retrieve.weights import FusionWeights
    from vaultbridge.settings import Settings


def check_packages() -> None:
    """Raise ConfigError before anything is measured that could not be told afterwards."""
    try:
        import ir_measures  # noqa: F401
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"This needs {error.name}, which is not installed.", "Install it: pip install 'vaultbridge[bench]'"
        ) from error


def proved(run: Run, questions: Questions, *, quiet: bool) -> Proof:
    """Both models of a run, asked all of it. Raises as ``prove``."""
    from vaultbridge.lab.training.proving import prove

    with progress_bar(quiet=quiet) as bar:

        def shown(name: str) -> Callable[[int, int], None]:
            task = bar.add_task(name, total=None)
            return lambda done, total: bar.update(task, completed=done, total=total)

        return prove(run, questions, shown)


def with_pipeline(proof: Proof, run: Run, place: Place, config: Path | None, *, quiet: bool) -> Proof:
    """The test queries through the real search of a vault, in a throwaway index for each model.

    Raises ConfigError if there are none for it.
    """
    from vaultbridge.lab.training.dataset import Dataset
    from vaultbridge.lab.training.gain import compare
    from vaultbridge.lab.training.proof import by_kind, cases_of
    from vaultbridge.retrieve.weights import read_weights

    sheet = run.read()
    # What is asked by a note's own title or headings would be found by these very words.
    examples = [example for example in Dataset(sheet.dataset).examples("test") if not example.bare]
    if not examples:
        raise ConfigError("The test split has nothing to ask through the pipeline.", "Leave out --pipeline.")
    cases = cases_of(examples)
    weights = read_weights(place.folder)

    def scored(folder: Path, when: str) -> Scores:
        with tempfile.TemporaryDirectory(prefix="vaultbridge-proof-") as scratch:
            named = {
                "models__embedder": str(folder),
                "models__generator": "none",
                "models__reranker": "none",
                "vault": place.vault,
                "data": Path(scratch),
            }
            values = asyncio.run(_fused(settings_of(config, **named), cases, weights, when, quiet=quiet))
        return by_kind(examples, values)

    before, after = scored(sheet.base.path, "before"), scored(run.model, "after")
    return replace(proof, pipeline=compare(before, after))


async def _fused(
    settings: Settings, cases: Sequence[Case], weights: FusionWeights, when: str, *, quiet: bool
) -> Mapping[str, Values]:
    """The measures of the real search over a throwaway index."""
    from vaultbridge.lab.evaluate import FUSED, evaluate
    from vaultbridge.wiring import open_house

    async with open_house(settings) as house:
        with progress_bar(quiet=quiet) as bar:
            bar.add_task(f"Indexing, {when}", total=None)
            await house.synced()
            task = bar.add_task(f"pipeline, {when}", total=len(cases))
            evaluation = await evaluate(
                house.store,
                house.services.embeddings,
                weights,
                cases,
                (),
                (),
                lambda done: bar.update(task, completed=done),
            )
    return evaluation.rows[FUSED].values
