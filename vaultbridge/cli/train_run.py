"""``vaultbridge train embedder`` and ``vaultbridge train reranker``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vaultbridge.cli.console import err, out, progress_bar, size
from vaultbridge.cli.options import ConfigOption, settings_of
from vaultbridge.cli.train_proof import check_packages
from vaultbridge.core.duration import in_words
from vaultbridge.core.errors import ConfigError

if TYPE_CHECKING:
    from rich.progress import Progress

    from vaultbridge.lab.training.finetune import Step
    from vaultbridge.lab.training.recipe import Facts, Trainer
    from vaultbridge.lab.training.run import RunSheet, Taught

_TRAINERS: dict[str, Trainer] = {"flag-m3": "m3", "flag": "base", "flag-reranker": "reranker"}
_MAX_RERANKED = 1024
"""Tokens of a question and a passage together, where the reranker does not say."""


class DeviceName(str, Enum):
    """Where torch computes."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class PrecisionName(str, Enum):
    """What the numbers are while a model is taught."""

    fp32 = "fp32"
    fp16 = "fp16"
    bf16 = "bf16"


DatasetOption = Annotated[
    Path, typer.Option("--data", help="What `train data` has made.", file_okay=False, show_default=False)
]
OutOption = Annotated[
    Path,
    typer.Option("--out", help="The run's folder; the same one goes on where it stopped.", show_default=False),
]
DeviceOption = Annotated[DeviceName, typer.Option(help="Where to compute.")]
BudgetOption = Annotated[
    float | None,
    typer.Option("--disk-budget", help="GB that the run may take on the disk.", min=0, show_default=False),
]
MixOption = Annotated[
    float | None,
    typer.Option(
        "--mix",
        help="The share of what was learned, 0 to 1; without it validation chooses.",
        min=0,
        max=1,
        show_default=False,
    ),
]
RateOption = Annotated[
    float | None, typer.Option(help="1e-5 for models as large as BGE-M3, more for small ones.", show_default=False)
]
RoundsOption = Annotated[
    int | None, typer.Option(help="How often every example is shown (epochs).", min=1, show_default=False)
]
BatchOption = Annotated[int | None, typer.Option(help="Queries in a batch.", min=1, show_default=False)]
AccumulateOption = Annotated[int | None, typer.Option(help="Batches for one step.", min=1, show_default=False)]
GroupOption = Annotated[
    int | None, typer.Option(help="Passages for each query, one of them right.", min=2, show_default=False)
]
QueryTokensOption = Annotated[
    int | None, typer.Option(help="Where queries are cut; 128 or what they need.", min=8, show_default=False)
]
PassageTokensOption = Annotated[
    int | None, typer.Option(help="Where passages are cut; 1024 or what they need.", min=8, show_default=False)
]
WarmupOption = Annotated[
    float | None,
    typer.Option(help="The part of the steps in which the rate rises; 0.1.", min=0, max=0.99, show_default=False),
]
DecayOption = Annotated[float | None, typer.Option(help="Weight decay; 0.01.", min=0, show_default=False)]
SeedOption = Annotated[int | None, typer.Option(help="For the order and for dropout; 42.", min=0, show_default=False)]
SaveOption = Annotated[int | None, typer.Option(help="Steps between two checkpoints.", min=1, show_default=False)]
PrecisionOption = Annotated[PrecisionName | None, typer.Option(help="fp16 with CUDA, else fp32.", show_default=False)]
CheckpointingOption = Annotated[
    bool | None,
    typer.Option(
        "--gradient-checkpointing/--no-gradient-checkpointing",
        help="Compute twice what does not fit in memory; for large models on a GPU.",
        show_default=False,
    ),
]


def embedder(
    data: DatasetOption,
    base: Annotated[str, typer.Option("--base", help="The embedder to teach: a name or a folder.", show_default=False)],
    run_folder: OutOption,
    device: DeviceOption = DeviceName.auto,
    disk_budget: BudgetOption = None,
    mix: MixOption = None,
    learning_rate: RateOption = None,
    rounds: RoundsOption = None,
    batch_size: BatchOption = None,
    accumulate: AccumulateOption = None,
    group_size: GroupOption = None,
    query_tokens: QueryTokensOption = None,
    passage_tokens: PassageTokensOption = None,
    temperature: Annotated[
        float | None, typer.Option(help="What cosines are divided by; 0.02.", min=1e-4, show_default=False)
    ] = None,
    warmup: WarmupOption = None,
    weight_decay: DecayOption = None,
    seed: SeedOption = None,
    save_steps: SaveOption = None,
    precision: PrecisionOption = None,
    gradient_checkpointing: CheckpointingOption = None,
    unified: Annotated[
        bool | None,
        typer.Option("--unified/--dense-only", help="BGE-M3: teach all heads, as by default.", show_default=False),
    ] = None,
    self_distill: Annotated[
        bool | None,
        typer.Option(
            "--self-distill/--no-self-distill",
            help="BGE-M3: each head learns from all together, as by default.",
            show_default=False,
        ),
    ] = None,
    distill_from: Annotated[
        int | None, typer.Option(help="BGE-M3: the step after which it does; 0.", min=0, show_default=False)
    ] = None,
    fix_encoder: Annotated[
        bool | None, typer.Option("--fix-encoder/--teach-encoder", help="BGE-M3: the heads alone.", show_default=False)
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Teach an embedder a vault's own words, and keep as much of it as does good."""
    given = {
        "learning_rate": learning_rate, "rounds": rounds, "batch_size": batch_size, "accumulate": accumulate,
        "group_size": group_size, "query_tokens": query_tokens, "passage_tokens": passage_tokens,
        "temperature": temperature, "warmup": warmup, "weight_decay": weight_decay, "seed": seed,
        "save_steps": save_steps, "precision": precision and precision.value,
        "gradient_checkpointing": gradient_checkpointing, "unified": unified, "self_distill": self_distill,
        "distill_from": distill_from, "fix_encoder": fix_encoder,
    }  # fmt: skip
    _teach("embedder", base, data, run_folder, device.value, disk_budget, mix, given, config)


def reranker(
    data: DatasetOption,
    base: Annotated[str, typer.Option("--base", help="The reranker to teach: a name or a folder.", show_default=False)],
    run_folder: OutOption,
    device: DeviceOption = DeviceName.auto,
    disk_budget: BudgetOption = None,
    mix: MixOption = None,
    learning_rate: RateOption = None,
    rounds: RoundsOption = None,
    batch_size: BatchOption = None,
    accumulate: AccumulateOption = None,
    group_size: GroupOption = None,
    query_tokens: QueryTokensOption = None,
    passage_tokens: PassageTokensOption = None,
    warmup: WarmupOption = None,
    weight_decay: DecayOption = None,
    seed: SeedOption = None,
    save_steps: SaveOption = None,
    precision: PrecisionOption = None,
    gradient_checkpointing: CheckpointingOption = None,
    config: ConfigOption = None,
) -> None:
    """Teach a reranker, a cross-encoder, a vault's own words."""
    given = {
        "learning_rate": learning_rate, "rounds": rounds, "batch_size": batch_size, "accumulate": accumulate,
        "group_size": group_size, "query_tokens": query_tokens, "passage_tokens": passage_tokens, "warmup": warmup,
        "weight_decay": weight_decay, "seed": seed, "save_steps": save_steps,
        "precision": precision and precision.value, "gradient_checkpointing": gradient_checkpointing,
    }  # fmt: skip
    _teach("reranker", base, data, run_folder, device.value, disk_budget, mix, given, config)


def _teach(
    role: Taught,
    base: str,
    data: Path,
    folder: Path,
    device_name: str,
    budget: float | None,
    mix: float | None,
    given: dict[str, Any],
    config: Path | None,
) -> None:
    check_packages()
    from vaultbridge.backends.torch_device import torch_device
    from vaultbridge.backends.vector_space import weights_digest
    from vaultbridge.lab.training.dataset import Dataset
    from vaultbridge.lab.training.facts import facts_of
    from vaultbridge.lab.training.recipe import recipe_for
    from vaultbridge.lab.training.run import Base, Run, RunSheet
    from vaultbridge.lab.training.tuning import order_of, room_of, tune
    from vaultbridge.wiring import supply_of

    found = supply_of(settings_of(config)).resolve(base, role)
    trainer = _TRAINERS.get(found.backend)
    if trainer is None:
        raise ConfigError(
            f"{found.name} is run by {found.backend}, which cannot teach it.",
            "Choose a model that FlagEmbedding runs: all-minilm-l6-v2, bge-m3, or a folder of one.",
        )
    dataset, run, device = Dataset(data.resolve()), Run(folder), torch_device(device_name)
    dataset.sheet()
    max_tokens = found.options.get("max_tokens", 512 if role == "embedder" else _MAX_RERANKED)
    facts = facts_of(trainer, found.path, max_tokens, dataset, device)
    taught = Base(found.name, found.path.resolve(), found.backend, dict(found.options), weights_digest(found.path))
    asked = RunSheet(role, trainer, taught, dataset.folder, dataset.digest(), recipe_for(facts, **given))
    room = room_of(run, taught.path, None if budget is None else int(budget * 1e9))
    sheet = run.begin(asked, given)
    _print_plan(sheet, facts, len(order_of(sheet)), room.needed)
    with progress_bar(quiet=False) as bar:
        watch = _Bars(bar)
        try:
            sheet = tune(run, sheet, device, room, watch, mix)
        except KeyboardInterrupt:
            err.print(f"Stopped after step {watch.taken}. The same command goes on from the last checkpoint.")
            raise
    _print_outcome(sheet, folder)


class _Bars:
    """What a run does, on the terminal."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._examining: dict[float, Any] = {}
        self._training: Any = None
        self.taken = 0

    def examining(self, share: float, done: int, total: int) -> None:
        """How far the examination of a mix is."""
        if share not in self._examining:
            name = "Examining the base" if not share else f"Examining {share:.0%} of what was learned"
            self._examining[share] = self._bar.add_task(name, total=total)
        self._bar.update(self._examining[share], completed=done, total=total)

    def resuming(self, step: int) -> None:
        """Where it goes on."""
        self.taken = step
        err.print(f"Going on after step {step}.")

    def step(self, step: Step) -> None:
        """How far the training is."""
        self.taken = step.step
        name = f"Training, loss {step.loss:.3f}"
        if self._training is None:
            self._training = self._bar.add_task(name, total=step.of, completed=step.step)
        self._bar.update(self._training, description=name, completed=step.step, total=step.of)


def _print_plan(sheet: RunSheet, facts: Facts, shown: int, needed: int) -> None:
    recipe = sheet.recipe
    err.print(
        f"{sheet.base.name}, {facts.shape.parameters / 1e6:.0f} million weights, on {facts.device}; "
        f"{facts.examples} examples, {facts.targets} notes to be found."
    )
    err.print(
        f"{recipe.rounds} rounds in batches of {recipe.batch_size} queries with {recipe.group_size} passages each: "
        f"{shown // recipe.batch_size // recipe.accumulate} steps; rate {recipe.learning_rate:g}, "
        f"{recipe.query_tokens} and {recipe.passage_tokens} tokens, {recipe.precision}. "
        f"At most {size(needed)} on the disk."
    )


def _print_outcome(sheet: RunSheet, folder: Path) -> None:
    assert sheet.outcome is not None
    done = sheet.outcome
    out.print(f"Taught with {done.examples} examples in {done.steps} steps, {in_words(done.seconds)}.")
    out.print("Validation, nDCG@10:")
    for share, values in sorted(sheet.validation.items(), key=lambda item: float(item[0])):
        name = "before" if float(share) == 0 else f"{float(share):.0%} of what was learned"
        chosen = "  <- kept" if float(share) == done.mix else ""
        out.print(f"  {name:<28} {fmean(values):.4f}{chosen}")
    out.print(f"Written to {folder / 'model'}.")
    if sheet.role == "embedder":
        out.print(f"Next: vaultbridge train report {folder}")
    else:
        out.print(f"Use it with --reranker {folder / 'model'}.")
