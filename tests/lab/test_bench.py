"""The benchmark over a real, tiny model: which points a sweep has, and what they are held against."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.lab.tiny import SHAPES, TINY, tiny_model
from vaultbridge.backends.llama import LlamaDecoder
from vaultbridge.core.errors import ConfigError, InvalidRequest
from vaultbridge.lab.bandwidth import thread_counts, usable_threads
from vaultbridge.lab.bench import BATCHES, Bench
from vaultbridge.lab.bench_plot import PlotFile
from vaultbridge.lab.random_model import QUANTS
from vaultbridge.lab.report import Report
from vaultbridge.lab.rig import Setup

RATE = 10e9


def read(counts: Sequence[int]) -> Mapping[int, float]:
    """A machine whose threads read equally fast."""
    return {count: count * RATE for count in counts}


BEST = RATE * usable_threads()


def bench(path: Path, **more: object) -> Bench:
    return Bench(LlamaDecoder, Setup(path, "tiny", threads=1), read=read, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny"))


def coherent(report: Report) -> None:
    """What holds for every report: percent, limits and bytes belong together, and all of it is JSON."""
    for point in report.points:
        assert point.limit == pytest.approx(point.batch * (point.bandwidth or 0) / (point.weights + point.cache))
        assert point.percent == pytest.approx(100 * point.reached / (point.limit or 0))
        assert point.bound == ("reading" if (point.limit or 0) <= point.compute else "computing")
    document = json.loads(json.dumps(report.document()))
    assert len(document["points"]) == len(report.points)
    assert document["points"][0]["limit"] == report.points[0].limit


def test_one_place_the_bare_loop_and_the_engine(path: Path) -> None:
    report = bench(path, depth=128).run()
    coherent(report)
    assert [point.way for point in report.points] == ["decode loop", "engine", "engine, drafts"]
    loop, engine, _ = report.points
    assert loop.depth == 128
    assert loop.cache == 4 * 2 * 128 * 2 * loop.depth
    assert engine.cache == 4 * 2 * 128 * 2 * engine.depth
    assert loop.bandwidth == BEST
    assert report.takeover == pytest.approx(loop.compute * loop.weights / BEST)


def test_batches_read_the_weights_once_and_every_cache(path: Path) -> None:
    report = bench(path, depth=64).run("batch")
    coherent(report)
    assert [point.batch for point in report.points] == list(BATCHES)
    first = report.points[0]
    for point in report.points:
        assert point.weights == first.weights
        assert point.cache == point.batch * first.cache


def test_a_batch_reads_more_experts_than_a_token(tmp_path: Path) -> None:
    report = bench(tiny_model(tmp_path, SHAPES["qwen3moe"]), depth=16).run("batch")
    coherent(report)
    weights = [point.weights for point in report.points]
    assert weights == sorted(set(weights))
    assert weights[-1] < sum(2 * weights[:1] + weights[:1] * 6), "but never all of them again for each"


def test_depth_costs_what_the_window_lets_through(tmp_path: Path) -> None:
    report = bench(tiny_model(tmp_path, SHAPES["gemma3"]), depth=512).run("depth")
    coherent(report)
    assert [point.depth for point in report.points] == [0, 32, 64, 128, 256, 512]
    one = 2 * 2 * 64 * 2  # a position of a layer: keys and values of two heads, two bytes each
    # Six of seven layers look back 64 tokens.
    assert [point.cache for point in report.points] == [
        one * (6 * min(64, depth) + depth) for depth in (0, 32, 64, 128, 256, 512)
    ]


def test_a_depth_sweep_ends_where_the_model_does(path: Path) -> None:
    assert max(point.depth for point in bench(path).run("depth").points) == TINY.context - 64
    with pytest.raises(InvalidRequest, match="--depth 1536"):
        bench(path, depth=2000).run()


def test_quants_are_ordered_by_bits_and_the_file_stands_among_them(path: Path) -> None:
    report = bench(path, depth=16).run("quant")
    coherent(report)
    assert {point.label for point in report.points} == {*QUANTS, "the file"}
    bits = [point.bits for point in report.points]
    assert bits == sorted(bits, reverse=True)
    by_label = {point.label: point for point in report.points}
    assert by_label["the file"].weights == by_label["q8_0"].weights, "it is q8_0, and in the same shape"
    assert report.takeover is None, "there is more than one model"


def test_each_number_of_threads_is_held_against_its_own_bandwidth(path: Path) -> None:
    report = bench(path, depth=16, bandwidth=1e9).run("threads")
    coherent(report)
    counts = thread_counts(usable_threads())
    assert [point.threads for point in report.points] == counts
    assert [point.bandwidth for point in report.points] == [RATE * count for count in counts]


def test_a_bandwidth_that_is_given_is_counted_with(path: Path) -> None:
    report = bench(path, depth=16, bandwidth=1e12).run("batch")
    assert {point.bandwidth for point in report.points} == {1e12}
    assert report.document()["machine"]["read_bandwidth_given"] == 1e12


def test_a_device_whose_memory_is_out_of_reach_has_no_limit_unless_it_is_told(path: Path) -> None:
    # There is no card here: llama.cpp then runs what is meant for it on the CPU.
    cpu, card = bench(path, devices=("cpu", "gpu"), depth=16).run("device").points
    assert (cpu.label, cpu.bandwidth) == ("cpu", BEST)
    assert (card.label, card.limit, card.percent, card.bound) == ("gpu", None, None, None)
    cpu, card = bench(path, devices=("cpu", "gpu"), depth=16, bandwidth=5e11).run("device").points
    assert (cpu.bandwidth, card.bandwidth) == (BEST, 5e11)


def test_a_machine_that_is_disturbed_is_said_to_be(path: Path) -> None:
    rates = iter([8e9, 4e9])

    def fickle(counts: Sequence[int]) -> Mapping[int, float]:
        return dict.fromkeys(counts, next(rates))

    report = Bench(LlamaDecoder, Setup(path, "tiny", threads=1), depth=16, read=fickle).run("device")
    assert report.machine.steadiness == 0.5
    assert report.points[0].bandwidth == 8e9, "the better one counts: it makes the limit no nearer than it is"


@pytest.mark.parametrize("sweep", ["", "quant", "batch", "depth", "threads", "device"])
@pytest.mark.parametrize("kind", [".png", ".svg"])
def test_every_report_can_be_drawn(path: Path, tmp_path: Path, sweep: str, kind: str) -> None:
    file = tmp_path / f"plot{kind}"
    PlotFile(file).draw(_report(path, sweep))
    assert file.read_bytes()[:5] in (b"\x89PNG\r", b"<?xml")


def _report(path: Path, sweep: str) -> Report:
    return bench(path, depth=16).run(sweep)


def test_a_picture_that_cannot_be_written_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.png"):
        PlotFile(tmp_path / "plot.xyz")
    with pytest.raises(ConfigError, match="no folder"):
        PlotFile(tmp_path / "none" / "plot.png")
