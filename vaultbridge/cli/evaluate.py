"""``vaultbridge eval``."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from vaultbridge.cli.console import out, print_json, progress_bar
from vaultbridge.cli.options import BackendOption, ConfigOption, EmbedderOption, JsonOption, ModeName, settings_of


def evaluate(
    folder: Annotated[Path, typer.Argument(help="corpus.jsonl, queries.jsonl, qrels/*.tsv")],
    mode: Annotated[ModeName | None, typer.Option(help="One lane only.", show_default=False)] = None,
    embedder: EmbedderOption = None,
    backend: BackendOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure retrieval on a test collection, through the real pipeline into a throwaway index."""
    asyncio.run(_evaluate(folder, mode.value if mode else None, embedder, backend, config, as_json))


async def _evaluate(
    folder: Path, mode: str | None, embedder: str | None, backend: str | None, config: Path | None, as_json: bool
) -> None:
    from vaultbridge.lab.collection import read_collection, write_vault
    from vaultbridge.lab.evaluate import LANES, evaluate
    from vaultbridge.wiring import open_house

    collection = read_collection(folder)
    with tempfile.TemporaryDirectory(prefix="vaultbridge-eval-") as scratch:
        vault = Path(scratch, folder.resolve().name)
        vault.mkdir()
        ids = write_vault(collection, vault)
        settings = settings_of(
            config,
            vault=vault,
            data=Path(scratch, "data"),
            models__embedder=embedder,
            models__backend=backend,
            models__generator="none",
        )
        async with open_house(settings) as house:
            with progress_bar(quiet=as_json) as bar:
                bar.add_task("Indexing", total=None)
                await house.synced()
            names = house.services.names
            lanes = [lane for lane, value in LANES.items() if mode in (None, value)]
            lanes = lanes if names.embedder else ["keyword"]
            with progress_bar(quiet=as_json) as bar:
                task = bar.add_task("Asking", total=len(collection.queries))
                scores = await evaluate(
                    house.services.retriever, collection, ids, lanes, lambda done: bar.update(task, completed=done)
                )
    if as_json:
        print_json({"collection": folder.resolve().name, "embedder": names.embedder, "lanes": scores})
        return
    out.print(f"{folder.resolve().name}, embedder {names.embedder or 'none'}, {len(collection.queries)} queries")
    for lane, values in scores.items():
        out.print(f"  {lane:<8} nDCG@10 {values['ndcg@10']:.3f}   recall@10 {values['recall@10']:.3f}")
