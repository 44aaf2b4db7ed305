"""``vaultbridge bench``."""

from __future__ import annotations

import math
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vaultbridge.cli.console import err, out, print_json
from vaultbridge.cli.options import ConfigOption, JsonOption, ModelOption, settings_of
from vaultbridge.core.errors import ConfigError, ModelMissing

if TYPE_CHECKING:
    from vaultbridge.catalog.supply import Model
    from vaultbridge.lab.bench_plot import PlotFile
    from vaultbridge.lab.report import Report
    from vaultbridge.settings import Settings

STEADY = 0.85
"""Where the bandwidths before and after are further apart than this, the machine was busy."""
_WIDTH = 80
_AS_CONFIGURED = ("batch", "ubatch", "flash_attention", "swa_full", "mmap", "mlock")
"""Settings of the engine that are measured as they are, beside those that a benchmark has options for."""
_DEVICES = "vaultbridge.backends.llama_devices:devices"


class SweepName(str, Enum):
    """What the points of a sweep differ in."""

    quant = "quant"
    batch = "batch"
    depth = "depth"
    threads = "threads"
    device = "device"


class CacheType(str, Enum):
    """How keys and values are kept."""

    f32 = "f32"
    f16 = "f16"
    q8_0 = "q8_0"
    q4_0 = "q4_0"


def bench(
    model: ModelOption = None,
    sweep: Annotated[
        SweepName | None, typer.Option(help="Move along one axis instead of measuring one place.", show_default=False)
    ] = None,
    depth: Annotated[
        int | None, typer.Option(min=0, help="Tokens of context; where a depth sweep ends.", show_default=False)
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of the model.", show_default=False)] = None,
    kv_type: Annotated[CacheType | None, typer.Option(help="How keys and values are kept.", show_default=False)] = None,
    shape: Annotated[
        str | None,
        typer.Option(help="Instead of --model: random weights in a model's shape, as gemma-2b.", show_default=False),
    ] = None,
    quant: Annotated[str, typer.Option(help="The type of those weights.")] = "q8_0",
    bandwidth: Annotated[
        float | None,
        typer.Option(min=0.1, help="GB/s to count with: a graphics card's, from its data sheet.", show_default=False),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw it: FILE.png, .svg or .pdf.", show_default=False)] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold decoding against its limit: the speed at which this machine reads weights, keys and values."""
    from vaultbridge.builds import BACKENDS
    from vaultbridge.engine.load import load_class
    from vaultbridge.lab.bench import Bench
    from vaultbridge.lab.rig import CPU, Setup

    picture = _plot_file(plot) if plot else None
    settings = settings_of(
        config,
        models__generator=model,
        engine__threads=threads,
        engine__kv_type=kv_type.value if kv_type else None,
    )
    devices, engine = load_class(_DEVICES)(), settings.engine
    with _measured(settings, shape, quant) as subject, err.status("") as status:
        backend = load_class(BACKENDS.get(subject.backend, subject.backend))
        setup = Setup(
            subject.path,
            subject.name,
            threads=engine.threads,
            device=devices[-1] if engine.gpu_layers else CPU,
            gpu_layers=engine.gpu_layers or -1,
            cache_type=engine.kv_type,
        )
        report = Bench(
            partial(backend, **{name: getattr(engine, name) for name in _AS_CONFIGURED}),
            setup,
            devices,
            depth=depth,
            bandwidth=bandwidth * 1e9 if bandwidth else None,
            say=status.update,
        ).run(sweep.value if sweep else "")
    if picture:
        picture.draw(report)
    if as_json:
        print_json(report.document())
    else:
        _print(report)


def _plot_file(path: Path) -> PlotFile:
    try:
        from vaultbridge.lab.bench_plot import PlotFile
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"--plot needs {error.name}, which is not installed.", "Install it: pip install 'vaultbridge[bench]'"
        ) from error
    return PlotFile(path)


@contextmanager
def _measured(settings: Settings, shape: str | None, quant: str) -> Iterator[Model]:
    """The model that is measured; one of random weights is gone afterwards."""
    from vaultbridge.catalog.choice import choose_generator
    from vaultbridge.catalog.folder import ModelFolder
    from vaultbridge.catalog.supply import Model, Supply
    from vaultbridge.lab.model_shape import Shape
    from vaultbridge.lab.random_model import write_random_model

    if shape is None:
        model = choose_generator(settings.models.generator, Supply(folder=ModelFolder(settings.models.folder)))
        if model is None:
            raise ModelMissing("There is no model to measure.", "Name one with --model, or try --shape smollm2-135m.")
        yield model
        return
    dimensions = Shape.named(shape)
    with tempfile.TemporaryDirectory(prefix="vaultbridge-bench-") as scratch:
        file = Path(scratch, f"{shape}.gguf")
        err.print(f"Writing random weights in the shape of {shape} as {quant}.")
        write_random_model(file, dimensions, quant)
        yield Model(f"{shape} {quant} (random weights)", file, "llama")


# --- the table --------------------------------------------------------------------------------------------------------


def _print(report: Report) -> None:
    subject = (line for fact in _subject(report) for line in textwrap.wrap(fact, _WIDTH, subsequent_indent=" " * 11))
    remarks = (line for remark in _remarks(report) for line in textwrap.wrap(remark, _WIDTH))
    for line in (*subject, "", *_table(report), "", *remarks):
        out.print(line)


def _subject(report: Report) -> Iterator[str]:
    model, rates = report.model, report.machine.bandwidth
    yield f"{report.name} ({model.architecture})"
    yield f"  weights  {model.weights() / 1e6:,.1f} MB a token: {_count(model.active)} of {model.bits:.2f} bits"
    if model.count > 1:
        yield f"           {model.used} of {model.count} experts; all weights together: {_count(model.parameters)}"
    if model.tied:
        yield "           the embedding table is the output matrix too: read once"
    cell = f"{model.cache(1, report.cache_type) / 1e3:,.1f} kB for each token before it, {report.cache_type}"
    local = [layer.window for layer in model.layers if layer.window < math.inf]
    yield f"  cache    {cell}" + (f"; {len(local)} of {len(model.layers)} layers look back {local[0]}" if local else "")
    yield "  memory   " + ", ".join(f"{rate / 1e9:.1f} GB/s with {count}" for count, rate in rates.items()) + " threads"
    if report.given:
        yield f"           counted with {report.given / 1e9:.1f} GB/s, as given"
    yield f"  devices  {', '.join(report.machine.devices)}"


def _table(report: Report) -> Iterator[str]:
    quant = report.sweep == "quant"
    named = report.sweep not in ("", "depth")
    yield f"{'':<14} {'':>6} {'MB a step':>17} {'limit, tokens/s':>19}"
    columns = f"{'bits' if quant else 'depth':>6} {'weights':>9} {'cache':>7} {'reading':>9} {'computing':>9}"
    yield f"{report.sweep if named else '':<14} {columns} {'reached':>8} {'of reading':>10}"
    for point in report.points:
        second = f"{point.bits:.2f}" if quant else f"{point.depth:,}"
        limit = f"{point.limit:,.1f}" if point.limit else "?"
        percent = f"{point.percent:.0f} %" if point.percent else "?"
        yield (
            f"{point.label if named else point.way:<14} {second:>6} {point.weights / 1e6:>9,.1f} "
            f"{point.cache / 1e6:>7,.1f} {limit:>9} {point.compute:>9,.1f} {point.reached:>8,.1f} {percent:>10}"
        )


def _remarks(report: Report) -> Iterator[str]:
    """What the figures say, and what they do not."""
    if report.takeover:
        yield (
            f"Up to {report.takeover:.1f} tokens a step reading is the lower limit, beyond that computing."
            if report.takeover > 1
            else "Computing is the lower limit, even of a single token."
        )
    for point in report.points:
        if point.way == "engine, drafts":
            yield f"Drafts: {point.drafted} tokens guessed, {point.accepted} right; a step reads once for all it takes."
    if report.sweep == "quant":
        yield "All but the file are random weights in its shape, every matrix in the type that is named."
    if report.sweep == "device" and len(report.machine.devices) == 1:
        yield "There is only the CPU: llama.cpp finds no other device that it was built for."
    if any(point.limit is None for point in report.points):
        yield "How fast that device reads its memory cannot be measured from here: pass --bandwidth."
    if report.machine.steadiness < STEADY:
        yield "Memory was not read at one speed before and after: other work disturbs these figures."


def _count(number: int) -> str:
    return f"{number / 1e9:.2f} billion" if number >= 1e9 else f"{number / 1e6:.0f} million"
