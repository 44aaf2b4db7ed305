"""A run from its first step to the model that came of it; whatever stopped it, the next call goes on from there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from vaultbridge.backends.flag_weights import bytes_of_weights
from vaultbridge.backends.torch_device import Device
from vaultbridge.catalog.tuned import TunedSheet
from vaultbridge.core.errors import ConfigError
from vaultbridge.lab.training.checkpoints import Room, newest, room_for
from vaultbridge.lab.training.dataset import Dataset, Example
from vaultbridge.lab.training.finetune import NO_ROOM, Step, disk_full, finetune
from vaultbridge.lab.training.mixing import MIXES, write_mix
from vaultbridge.lab.training.order import in_batches
from vaultbridge.lab.training.recipe import MODULES, argv
from vaultbridge.lab.training.run import Outcome, Run, RunSheet
from vaultbridge.lab.training.validation import share_to_keep, validation

_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "WANDB_DISABLED": "true"}


class Watch(Protocol):
    """Who is told how far a run is."""

    def examining(self, share: float, done: int, total: int) -> None:
        """So much is done to examine the model with that share of the tuned weights."""

    def resuming(self, step: int) -> None:
        """It goes on after that step."""

    def step(self, step: Step) -> None:
        """A step was taken."""


def tune(run: Run, sheet: RunSheet, device: Device, room: Room, watch: Watch, mix: float | None = None) -> RunSheet:
    """Teach the base, mix what was learned with it, and keep the mix that the validation split speaks for.

    ``mix`` fixes the share of the tuned weights. Raises DiskFull, TrainingFailed, and ConfigError if another process is
    at work on it.
    """
    with _alone(run), _room():
        sheet = _validated(run, sheet, 0.0, sheet.base.path, watch)
        if not run.tuned.exists():
            _train(run, sheet, device, room, watch)
        for checkpoint in run.tuned.glob("checkpoint-*"):
            shutil.rmtree(checkpoint)
        sheet, best = _best_mix(run, sheet, watch, (mix,) if mix is not None else MIXES)
        steps, seconds = taken(run.log)
        shown = steps * sheet.recipe.batch_size * sheet.recipe.accumulate
        sheet = replace(sheet, outcome=Outcome(best, seconds, steps, shown))
        run.write(sheet)
    return sheet


@contextmanager
def _alone(run: Run) -> Iterator[None]:
    try:
        with FileLock(run.folder / ".lock", timeout=0):
            yield
    except Timeout as error:
        raise ConfigError(
            f"Another process is at work on {run.folder}.", "Wait for it, or pass another --out."
        ) from error


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:
        if NO_ROOM.search(str(error)) is None:
            raise
        raise disk_full() from error


def _validated(run: Run, sheet: RunSheet, share: float, folder: Path, watch: Watch) -> RunSheet:
    """The sheet with the quality of the model in ``folder``, which has that share of the tuned weights."""
    if str(share) in sheet.validation:
        return sheet
    values = validation(sheet, folder, lambda done, total: watch.examining(share, done, total))
    sheet = replace(sheet, validation={**sheet.validation, str(share): values})
    run.write(sheet)
    return sheet


def room_of(run: Run, base: Path, budget: int | None) -> Room:
    """How many checkpoints this run may have; what it has already counts as free. Raises ConfigError, DiskFull."""
    own = sum(file.stat().st_size for file in run.checkpoints.rglob("*") if file.is_file())
    disk = next(place for place in (run.folder, *run.folder.resolve().parents) if place.exists())
    return room_for(bytes_of_weights(base), budget, shutil.disk_usage(disk).free + own)


def order_of(sheet: RunSheet) -> list[Example]:
    """What is shown, batch by batch. Raises ConfigError if not a single batch comes together."""
    recipe = sheet.recipe
    examples = Dataset(sheet.dataset).examples("train")
    shown = in_batches(examples, recipe.batch_size, recipe.group_size, recipe.rounds, recipe.seed)
    if not shown:
        raise ConfigError(
            f"The examples look for fewer notes than a batch has queries, {recipe.batch_size}.",
            "Pass a smaller --batch-size, or make more data.",
        )
    return shown


def taken(log: Path) -> tuple[int, float]:
    """The last step of a log, and the seconds of all its processes together."""
    steps = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    seconds = [step["seconds"] for step in steps]
    ends = [now for now, later in zip(seconds, [*seconds[1:], 0.0], strict=True) if later < now]
    return steps[-1]["step"], round(sum(ends), 1)


def _train(run: Run, sheet: RunSheet, device: Device, room: Room, watch: Watch) -> None:
    recipe, base = sheet.recipe, sheet.base
    last = newest(run.checkpoints)
    if last is None:
        shutil.rmtree(run.checkpoints, ignore_errors=True)
    else:
        watch.resuming(last.step)
    cache = run.folder / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    ordered = run.folder / "order.jsonl"
    try:
        _write_order(ordered, sheet)
        arguments = argv(
            sheet.trainer,
            recipe,
            device,
            model=base.path,
            data=ordered,
            cache=cache,
            out=run.checkpoints,
            keep=room.keep,
            pooling=base.options.get("pooling", "cls"),
            prefixes=(base.options.get("query_prefix", ""), base.options.get("document_prefix", "")),
            resume=(last.path, last.step) if last else None,
        )
        environment = {**_OFFLINE, "HF_HOME": str(cache), "CUDA_VISIBLE_DEVICES": _one_gpu()}
        finetune(MODULES[sheet.trainer], arguments, environment, run.log, watch.step)
    finally:
        # Both hold what the notes say.
        shutil.rmtree(cache, ignore_errors=True)
        ordered.unlink(missing_ok=True)
    # From here on the training is over, whatever happens.
    run.checkpoints.replace(run.tuned)


def _one_gpu() -> str:
    """Of several, the Trainer would make each batch as many times as large."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "0").partition(",")[0]


def _write_order(file: Path, sheet: RunSheet) -> None:
    with file.open("w", encoding="utf-8") as lines:
        for example in order_of(sheet):
            row = {"query": example.query, "pos": example.pos, "neg": example.neg}
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")


def _best_mix(run: Run, sheet: RunSheet, watch: Watch, mixes: tuple[float, ...]) -> tuple[RunSheet, float]:
    """Make the one of ``mixes`` that is worth keeping the run's model."""
    options = {name: value for name, value in sheet.base.options.items() if name != "floor"}
    name = f"{sheet.base.name}-{run.folder.resolve().name}"
    described = TunedSheet(name, sheet.role, sheet.base.backend, sheet.base.name, options)
    candidate = run.folder / "candidate"
    try:
        for mix in mixes:
            shutil.rmtree(candidate, ignore_errors=True)
            write_mix(sheet.base.path, run.tuned, mix, candidate, described)
            sheet = _validated(run, sheet, mix, candidate, watch)
        best = float(share_to_keep({str(mix): sheet.validation[str(mix)] for mix in mixes}))
        if best != mixes[-1]:
            shutil.rmtree(candidate)
            write_mix(sheet.base.path, run.tuned, best, candidate, described)
        shutil.rmtree(run.model, ignore_errors=True)
        candidate.replace(run.model)
    finally:
        shutil.rmtree(candidate, ignore_errors=True)
    return sheet, best
