"""``python -m vaultbridge.lab.predictions``: what ``models info`` says, and what models take and give."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import psutil
import typer

from vaultbridge.catalog.catalog import Catalog
from vaultbridge.catalog.folder import ModelFolder
from vaultbridge.catalog.footprint import Footprint, Use
from vaultbridge.catalog.gguf_header import GgufHeader
from vaultbridge.catalog.model_bytes import ModelBytes
from vaultbridge.catalog.speed import expected_speed
from vaultbridge.core.dialogue import Continuation, Failed, Finished, GroundedPrompt, Sampling
from vaultbridge.core.errors import DecodeFailed
from vaultbridge.core.machine import LlamaBuild
from vaultbridge.engine.activity import Activity
from vaultbridge.engine.generator import HostedGenerator
from vaultbridge.engine.host import Host
from vaultbridge.engine.load import load_class, load_generator
from vaultbridge.lab.bandwidth import quick_bandwidth
from vaultbridge.lab.model_shape import Shape
from vaultbridge.lab.random_model import write_random_model

CONTEXTS = (1024, 4096)
SLOTS = 8
RUNS = 5
ANSWER = 64
EFFORT = 1e12
SMALL = ("smollm2-135m-instruct", "gemma-3-270m")
"""Those of the catalogue that every checkout can fetch."""
SUBJECTS = (*SMALL, "gemma-2b:q8_0", "gemma-3-1b:q4_0", "llama-3.2-1b:q8_0")
"""Models of the catalogue, and random weights: ``shape:type``. The last one's query heads share keys and values."""
_DECODER = "vaultbridge.backends.llama:LlamaDecoder"
_DEADLINE = 3600.0
_WORD = "hive "
_WORDS = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One model with one context: bytes, and the tokens a second of several answers.

    ``undisturbed``: tokens by the second that the process had a core; with one thread, what a computer gives that does
    nothing else.
    """

    name: str
    context: int
    promised: Footprint
    resident: int
    expected: float
    speeds: tuple[float, ...]
    undisturbed: float

    @property
    def memory_error(self) -> float:
        """How far the promise is off, as a share of what it takes."""
        return self.promised.resident / self.resident - 1

    @property
    def speed(self) -> float:
        """The middle one."""
        return statistics.median(self.speeds)


@dataclass(frozen=True, slots=True)
class Observed:
    """What a process did."""

    resident: int
    speeds: tuple[float, ...]
    undisturbed: float


def compare(
    path: Path,
    name: str,
    build: LlamaBuild,
    context: int,
    *,
    runs: int = RUNS,
    threads: int = 0,
    effort: float = EFFORT,
) -> Row:
    """Load a model as ``serve`` does, let it answer several times, fill its cache, and hold all against the promises.

    The cache is filled as far as ``effort``, bytes of weights times tokens, goes, and every slot is used. The bandwidth
    is measured before and after the answers, and the mean of both counts.
    """
    header, threads = GgufHeader.read(path), threads or build.threads
    promised = Footprint.of(header, Use(context, SLOTS), build.repacked)
    before = quick_bandwidth(threads)
    seen = asyncio.run(_observe(path, name, context, runs, threads, int(effort / promised.weights)))
    expected = expected_speed(ModelBytes.of(header), (before + quick_bandwidth(threads)) / 2, threads, ANSWER // 2)
    return Row(name, context, promised, seen.resident, expected, seen.speeds, seen.undisturbed)


def _children() -> set[psutil.Process]:
    """The processes that hold a model for this one."""
    return {one for one in psutil.Process().children() if "--multiprocessing-fork" in one.cmdline()}


async def _observe(path: Path, name: str, context: int, runs: int, threads: int, most: int) -> Observed:
    options = {
        "name": name,
        "context": context,
        "cache": context,
        "slots": SLOTS,
        "threads": threads,
        "gpu_layers": 0,
    }
    host = Host("generator", partial(load_generator, _DECODER, (path,), options, drafts=False))
    generator = HostedGenerator(name, host, Activity(), SLOTS, _DEADLINE)
    others = _children()
    try:
        await generator.info()
        (child,) = _children() - others
        a_word = (await _answer(generator, _WORDS, 2)).usage.prompt_tokens / _WORDS
        busy = _cpu_seconds(child)
        answers = [await _answer(generator, _WORDS, ANSWER) for _ in range(runs)]
        undisturbed = runs * ANSWER / (_cpu_seconds(child) - busy)
        await _answer(generator, max(1, int((min(context, most) - ANSWER) / a_word)), 2)
        await asyncio.gather(*(_answer(generator, _WORDS, 4) for _ in range(SLOTS)))
        speeds = tuple(1000 * (ANSWER - 1) / answer.timings.decode_ms for answer in answers)
        return Observed(child.memory_info().rss, speeds, undisturbed)
    finally:
        await host.close()


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _answer(generator: HostedGenerator, words: int, tokens: int) -> Finished:
    sampling = Sampling(temperature=0.0, max_tokens=tokens, ignore_eos=True)
    prompt = GroundedPrompt(Continuation(_WORD * words))
    async with aclosing(generator.stream(prompt, sampling)) as events:
        async for event in events:
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Finished):
                return event
    raise DecodeFailed("The model gave no answer.")


@contextmanager
def _file(subject: str) -> Iterator[Path]:
    """A model's file; one of random weights is gone afterwards."""
    shape, _, quant = subject.partition(":")
    if not quant:
        entry, folder = Catalog.load().get(subject), ModelFolder()
        yield folder.path_of(entry)
        return
    with tempfile.TemporaryDirectory(prefix="vaultbridge-predictions-") as scratch:
        file = Path(scratch, f"{shape}-{quant}.gguf")
        write_random_model(file, Shape.named(shape), quant)
        yield file


def main(
    subjects: Annotated[list[str] | None, typer.Argument(help="Models of the catalogue, or shape:type.")] = None,
    runs: Annotated[int, typer.Option(min=1, help="Answers whose middle speed counts.")] = RUNS,
    threads: Annotated[int, typer.Option(min=0, help="Threads of the model; 0: as many as serve takes.")] = 0,
) -> None:
    """Print predicted and measured memory and speed of several models, each with two contexts.

    `undisturbed` is told by the time that the process had a core: with one thread, it holds on a busy computer too.
    """
    build: LlamaBuild = load_class("vaultbridge.backends.llama_devices:build")()
    typer.echo(
        f"{'':<22} {'context':>7} {'MB':>6} {'said':>6} {'off':>5} {'tokens/s':>9} {'undisturbed':>11} {'said':>6}"
    )
    for subject in subjects or SUBJECTS:
        with _file(subject) as path:
            for context in CONTEXTS:
                row = compare(path, subject, build, context, runs=runs, threads=threads)
                typer.echo(
                    f"{subject:<22} {context:>7} {row.resident / 1e6:>6,.0f} {row.promised.resident / 1e6:>6,.0f} "
                    f"{row.memory_error:>+5.0%} {row.speed:>9.1f} {row.undisturbed:>11.1f} {row.expected:>6.1f}"
                )


if __name__ == "__main__":
    typer.run(main)
