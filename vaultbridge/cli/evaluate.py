"""``vaultbridge eval``."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultbridge.cli.answers import examine_answers
from vaultbridge.cli.console import out, print_json, progress_bar
from vaultbridge.cli.evaluation import evaluation_view, print_evaluation, print_fit
from vaultbridge.cli.options import (
    BackendOption,
    ConfigOption,
    DataOption,
    EmbedderOption,
    JsonOption,
    ModelOption,
    ModeName,
    RerankerOption,
    VaultOption,
    settings_of,
)
from vaultbridge.core.errors import ConfigError

if TYPE_CHECKING:
    from vaultbridge.lab.cases import Case
    from vaultbridge.retrieve.weights import FusionWeights
    from vaultbridge.wiring import House


UNBOUNDED_SECONDS = 1e6
"""For a reranker that is measured: every question is to be ranked by it."""


class PartName(str, Enum):
    """What can be switched off."""

    keyword = "keyword"
    dense = "dense"
    sparse = "sparse"
    doubt = "doubt"
    ground = "ground"
    feedback = "feedback"
    smoothing = "smoothing"
    links = "links"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is evaluated, in which house; ``own``: it is the user's vault and no collection."""

    name: str
    house: House
    cases: list[Case]
    own: bool


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is done with it."""

    mode: str | None
    without: list[str]
    follow: float | None
    fit: bool
    plot: Path | None
    as_json: bool


def evaluate(
    folder: Annotated[
        Path | None, typer.Argument(help="corpus.jsonl, queries.jsonl, qrels/*.tsv", show_default=False)
    ] = None,
    links: Annotated[
        bool, typer.Option("--links", help="Test a vault by its links: the sentence around each must find its target.")
    ] = False,
    answers: Annotated[
        bool, typer.Option("--answers", help="Test the chat model's answers, with the note that answers and without.")
    ] = False,
    form: Annotated[
        list[str] | None,
        typer.Option("--format", help="Of --answers: as the model's own but `notes=2,frame=brief`; may be repeated."),
    ] = None,
    k: Annotated[int, typer.Option(help="Of --answers: chunks that are looked up for a question.", min=1)] = 8,
    half: Annotated[
        int | None, typer.Option(help="Only the first or the second half of the questions.", min=1, max=2)
    ] = None,
    model: ModelOption = None,
    mode: Annotated[ModeName | None, typer.Option(help="One lane only.", show_default=False)] = None,
    without: Annotated[
        list[PartName] | None, typer.Option(help="Also rank without this part; may be repeated.", show_default=False)
    ] = None,
    follow: Annotated[
        float | None,
        typer.Option(help="How much of a note's score goes over its links, 0 to 1.", min=0, max=1, show_default=False),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="Ask so many questions at most, evenly chosen.", min=1, show_default=False)
    ] = None,
    fit: Annotated[
        bool, typer.Option("--fit", help="Fit the weights; with --vault they are kept and used if they help.")
    ] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw it into this file.", show_default=False)] = None,
    vault: VaultOption = None,
    data: DataOption = None,
    embedder: EmbedderOption = None,
    reranker: RerankerOption = None,
    backend: BackendOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure retrieval through the real pipeline: on a test collection in a throwaway index, or on a vault's links."""
    if (folder is None) == (not links) or (links and answers):
        raise ConfigError("What shall be asked?", "Name the folder of a test collection, or pass --vault DIR --links.")
    _check(plot)
    named = {
        "models__embedder": embedder,
        "models__reranker": reranker or "none",
        "models__backend": backend,
        "models__generator": model if answers else "none",
    }
    parts = [part.value for part in without or ()]
    wanted = _Wanted(mode.value if mode else None, parts, follow, fit, plot, as_json)

    async def run() -> None:
        opened = _vault(config, vault, data, named) if folder is None else _collection(folder, config, named)
        async with opened as asked:
            if not asked.cases:
                raise ConfigError(f"{asked.name} has nothing to ask.", "A vault needs notes that link to each other.")
            cases = _chosen(asked.cases, half, limit)
            if answers and folder is not None:
                await examine_answers(asked.house, folder, cases, form or (), k, as_json)
            else:
                await _run(replace(asked, cases=cases), wanted)

    asyncio.run(run())


def _chosen(cases: list[Case], half: int | None, limit: int | None) -> list[Case]:
    """A half of them, or all; then so many, evenly chosen."""
    middle = len(cases) // 2
    cases = {None: cases, 1: cases[:middle], 2: cases[middle:]}[half]
    count = len(cases) if limit is None else min(limit, len(cases))
    return [cases[at * len(cases) // count] for at in range(count)]


@asynccontextmanager
async def _collection(folder: Path, config: Path | None, named: dict[str, Any]) -> AsyncIterator[_Asked]:
    from vaultbridge.lab.cases import collection_cases
    from vaultbridge.lab.collection import read_collection, write_vault
    from vaultbridge.wiring import open_house

    collection = read_collection(folder)
    with tempfile.TemporaryDirectory(prefix="vaultbridge-eval-") as scratch:
        vault = Path(scratch, folder.resolve().name)
        vault.mkdir()
        ids = write_vault(collection, vault)
        async with open_house(settings_of(config, vault=vault, data=Path(scratch, "data"), **named)) as house:
            yield _Asked(vault.name, house, collection_cases(collection, ids), own=False)


@asynccontextmanager
async def _vault(
    config: Path | None, vault: Path | None, data: Path | None, named: dict[str, Any]
) -> AsyncIterator[_Asked]:
    from vaultbridge.lab.cases import link_cases
    from vaultbridge.vault.files import Vault
    from vaultbridge.vault.formats import read_note
    from vaultbridge.wiring import open_house

    async with open_house(settings_of(config, vault=vault, data=data, **named)) as house:
        await house.indexer.sync()
        files = Vault(house.place.vault)
        whole = sorted(note.state.path for note in await house.store.notes() if not note.reason)
        notes = [read_note(*files.read(path))[0] for path in whole]
        yield _Asked(house.services.vault_name, house, link_cases(notes), own=True)


async def _run(asked: _Asked, wanted: _Wanted) -> None:
    from vaultbridge.lab.evaluate import evaluate as measured
    from vaultbridge.retrieve.rescoring import Rescoring

    services = asked.house.services
    with progress_bar(quiet=wanted.as_json) as bar:
        bar.add_task("Indexing", total=None)
        await asked.house.synced()
        if services.reranker is not None:
            await services.reranker.ready()
    weights = services.retriever.weights
    if wanted.follow is not None:
        weights = replace(weights, links=wanted.follow)
    cases = asked.cases
    with progress_bar(quiet=wanted.as_json) as bar:
        task = bar.add_task("Asking", total=len(cases))
        evaluation = await measured(
            services.store,
            services.embeddings,
            weights,
            cases,
            await _lanes(asked.house, wanted.mode),
            wanted.without,
            lambda done: bar.update(task, completed=done),
            Rescoring(services.store, services.reranker, UNBOUNDED_SECONDS) if services.reranker is not None else None,
        )
    fitted = await _fit(asked, weights, cases, wanted.as_json) if wanted.fit else None
    if wanted.plot is not None:
        from vaultbridge.lab.eval_plot import draw_evaluation

        draw_evaluation(evaluation, f"{asked.name}, embedder {services.names.embedder or 'none'}", wanted.plot)
    if wanted.as_json:
        head = {"collection": asked.name, "embedder": services.names.embedder, "reranker": services.names.reranker}
        figures = {"queries": len(cases), **evaluation_view(evaluation), **({"fit": fitted} if fitted else {})}
        print_json({**head, **figures})
        return
    reranker = f", reranker {services.names.reranker}" if services.names.reranker else ""
    out.print(f"{asked.name}, embedder {services.names.embedder or 'none'}{reranker}, {len(cases)} questions")
    print_evaluation(evaluation)
    if fitted is not None:
        print_fit(fitted)


async def _lanes(house: House, mode: str | None) -> list[str]:
    if mode not in (None, ModeName.hybrid.value):
        return [mode]
    if house.services.embeddings is None:
        return ["keyword"]
    info = await house.services.embeddings.info()
    return ["keyword", "dense", *(["sparse"] if info.sparse else [])]


async def _fit(asked: _Asked, weights: FusionWeights, cases: list[Case], as_json: bool) -> dict[str, Any]:
    from vaultbridge.lab.fit import fit
    from vaultbridge.retrieve.retriever import Retriever
    from vaultbridge.retrieve.weights import write_weights

    services = asked.house.services
    with progress_bar(quiet=as_json) as bar:
        task = bar.add_task("Fitting", total=len(cases))
        retriever = Retriever(services.store, services.embeddings, weights)
        fitted = await fit(retriever, cases, lambda done: bar.update(task, completed=done))
    kept = write_weights(asked.house.place.folder, fitted.weights) if fitted.holds and asked.own else None
    return {"weights": asdict(fitted.weights), "gain": asdict(fitted.gain), "kept": str(kept or "")}


def _check(plot: Path | None) -> None:
    """Raise ConfigError before anything is measured that could not be told afterwards."""
    try:
        from vaultbridge.lab.measures import NDCG  # noqa: F401  it needs ir-measures

        if plot is not None:
            from vaultbridge.lab.bench_plot import PlotFile

            PlotFile(plot)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"eval needs {error.name}, which is not installed.", "Install it: pip install 'vaultbridge[bench]'"
        ) from error
