"""``vaultbridge train data``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultbridge.cli.console import out, print_json, progress_bar
from vaultbridge.cli.options import (
    BackendOption,
    ConfigOption,
    DataOption,
    EmbedderOption,
    JsonOption,
    ModelOption,
    RerankerOption,
    VaultOption,
    settings_of,
)
from vaultbridge.core.errors import ConfigError, ModelMissing

if TYPE_CHECKING:
    from vaultbridge.core.ports import Generator
    from vaultbridge.lab.training.making import Draft
    from vaultbridge.lab.training.pairs import Cut
    from vaultbridge.settings import Settings
    from vaultbridge.wiring import House


@dataclass(frozen=True, slots=True)
class _Wanted:
    """How the data is made, and where it goes."""

    folder: Path
    negatives: int
    margin: float
    seed: int
    questions: int


def train_data(
    folder: Annotated[
        Path, typer.Option("--out", file_okay=False, help="Where the data is written.", show_default=False)
    ],
    vault: VaultOption = None,
    negatives: Annotated[int, typer.Option(help="Wrong passages for each query.", min=1)] = 7,
    margin: Annotated[
        float, typer.Option(help="What scores above this part of the right passage is not called wrong.", min=0, max=1)
    ] = 0.95,
    seed: Annotated[int, typer.Option(help="Decides what chance decides.")] = 0,
    generate: Annotated[
        int, typer.Option(help="Passages for which the chat model is asked for a question; 0: it is not asked.", min=0)
    ] = 0,
    data: DataOption = None,
    model: ModelOption = None,
    embedder: EmbedderOption = None,
    reranker: RerankerOption = None,
    backend: BackendOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make training data of what a vault's notes say of themselves and of each other, and of questions to them."""
    settings = settings_of(
        config,
        vault=vault,
        data=data,
        models__embedder=embedder,
        models__reranker=reranker,
        models__backend=backend,
        models__generator=model if generate else "none",
    )
    asyncio.run(_make(settings, _Wanted(folder, negatives, margin, seed, generate), as_json))


async def _make(settings: Settings, wanted: _Wanted, as_json: bool) -> None:
    from vaultbridge.lab.training.dataset import SPLITS, Dataset, Example, Split
    from vaultbridge.lab.training.generated import with_questions
    from vaultbridge.lab.training.making import drafted, examples
    from vaultbridge.lab.training.negatives import Miner
    from vaultbridge.lab.training.pairs import passage_of
    from vaultbridge.wiring import open_house

    async with open_house(settings) as house:
        services = house.services
        if services.embeddings is None:
            raise ConfigError("Hard negatives are found by an embedder, and none is chosen.", "Pass --embedder NAME.")
        model = await _chat_model(house) if wanted.questions else None
        with progress_bar(quiet=as_json) as bar:
            bar.add_task("Reading notes", total=None)
            await house.indexer.sync()
            draft = drafted(await cuts_of(house), wanted.seed)
        with progress_bar(quiet=as_json) as bar:
            bar.add_task("Embedding", total=None)
            await house.synced()
            if services.reranker is not None:
                await services.reranker.ready()
        generated: dict[str, Any] = {}
        if model is not None:
            with progress_bar(quiet=as_json) as bar:
                task = bar.add_task("Asking for questions", total=None)
                draft, figures = await with_questions(
                    draft,
                    model,
                    services.retriever,
                    wanted.questions,
                    wanted.seed,
                    lambda done, total: bar.update(task, completed=done, total=total),
                )
            generated = {"generated": {"model": model.name, **figures}}
        made: dict[Split, list[Example]] = {}
        with progress_bar(quiet=as_json) as bar:
            task = bar.add_task("Looking for wrong passages", total=sum(map(len, draft.pairs.values())))
            for split in SPLITS:
                miner = Miner(
                    services.store,
                    services.retriever,
                    services.reranker,
                    draft.cuts[split],
                    wanted.margin,
                    wanted.seed,
                )
                made[split] = await examples(
                    draft.pairs[split], miner, wanted.negatives, lambda done: bar.advance(task, done)
                )
        info = await services.embeddings.info()
        head = {
            "vault": services.vault_name,
            "embedder": {"name": services.names.embedder, "fingerprint": info.fingerprint},
            "reranker": services.names.reranker,
            **generated,
        }
    dataset = Dataset(wanted.folder)
    passages = [passage_of(chunk) for split in SPLITS for cut in draft.cuts[split] for chunk in cut.chunks]
    dataset.write(made, passages, {**head, **_sheet(wanted, draft, made)})
    sheet = dataset.sheet()
    if as_json:
        print_json(sheet)
    else:
        _print(sheet, wanted.folder)


async def _chat_model(house: House) -> Generator:
    """What asks the questions. Raises ModelMissing if there is no chat model, and what keeps it from being loaded."""
    from vaultbridge.lab.training.generated import ready
    from vaultbridge.wiring import RECOMMENDED

    model = house.services.fleet.of("")
    if model is None:
        raise ModelMissing(
            "Questions are asked by a chat model, and there is none.",
            f"Pass --model NAME, or fetch one: vaultbridge models pull {RECOMMENDED}",
        )
    await ready(model)
    return model


async def cuts_of(house: House) -> list[Cut]:
    """What the index holds whole, as it read it: a note that has changed since waits for the next look."""
    from vaultbridge.lab.training.pairs import Cut
    from vaultbridge.vault.files import Vault
    from vaultbridge.vault.formats import read_note

    files = Vault(house.place.vault)
    cuts: list[Cut] = []
    for known in await house.store.notes():
        if not known.reason:
            note, _ = read_note(*files.read(known.state.path))
            if note.state.sha256 == known.state.sha256:
                cuts.append(Cut(note, tuple(await house.store.chunks(known.state.path))))
    return cuts


def _sheet(wanted: _Wanted, draft: Draft, made: Mapping[Any, Any]) -> dict[str, Any]:
    from vaultbridge.lab.training.making import counts

    left = sum(map(len, draft.pairs.values())) - sum(map(len, made.values()))
    return {
        "seed": wanted.seed,
        "settings": {"negatives": wanted.negatives, "margin": wanted.margin},
        "counts": {split: counts(examples) for split, examples in made.items()},
        "dropped": {**draft.dropped, "without a wrong passage": left},
        "notes": {split: [cut.note.path for cut in cuts] for split, cuts in draft.cuts.items()},
    }


def _print(sheet: Mapping[str, Any], folder: Path) -> None:
    splits = sheet["counts"]
    kinds = sorted({kind for counts in splits.values() for kind in counts})
    out.print(f"{'':<12}" + "".join(f"{split:>12}" for split in splits))
    for kind in kinds:
        out.print(f"{kind:<12}" + "".join(f"{counts.get(kind, 0):>12}" for counts in splits.values()))
    out.print(f"{'pairs':<12}" + "".join(f"{sum(counts.values()):>12}" for counts in splits.values()))
    out.print(f"{'notes':<12}" + "".join(f"{len(notes):>12}" for notes in sheet["notes"].values()))
    if generated := sheet.get("generated"):
        figures = [f"{count} {what}" for what, count in generated.items() if what != "model"]
        out.print(f"Questions of {generated['model']}: {', '.join(figures)}")
    out.print("Left out: " + ", ".join(f"{count} {why}" for why, count in sheet["dropped"].items()))
    out.print(f"Written to {folder}. It holds text of your notes: keep it as private as they are.")
