"""Which Gemma is recommended: the largest that fits and is no slower than one reads."""

from __future__ import annotations

from vaultbridge.catalog.catalog import Catalog
from vaultbridge.catalog.recommend import Recommendation, recommend
from vaultbridge.core.machine import Memory

GB = 1_000_000_000
ENTRIES = Catalog.load().entries


def on(available: float, bandwidth: float, *, gpu: float = 0, shared: bool = False) -> Recommendation:
    memory = Memory(64 * GB, round(available * GB), round(gpu * GB), shared)
    return recommend(ENTRIES, memory, bandwidth * GB, 8)


def test_only_gemmas_that_chat_are_named() -> None:
    found = on(30, 100)
    for candidate in (found.best, *found.others):
        assert candidate.entry.name.startswith("gemma")
        assert candidate.entry.role == "chat"


def test_what_is_recommended_fits_and_everything_larger_does_not_run_well() -> None:
    for available, bandwidth in ((2, 10), (4, 20), (6, 30), (8, 60), (16, 60), (30, 15), (30, 300)):
        found = on(available, bandwidth)
        if not found.best.obstacle:
            assert found.best.entry.memory <= available * GB
            larger = [other for other in found.others if other.entry.size > found.best.entry.size]
            assert all(other.obstacle for other in larger)


def test_more_memory_and_faster_memory_never_make_it_smaller() -> None:
    sizes = [on(available, 200).best.entry.size for available in (2, 4, 8, 16, 32)]
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]
    speeds = [on(32, bandwidth).best.entry.size for bandwidth in (5, 10, 20, 50, 200)]
    assert speeds == sorted(speeds)
    assert speeds[-1] > speeds[0]


def test_where_nothing_runs_well_the_smallest_is_named_with_its_obstacle() -> None:
    found = on(0.1, 100)
    assert found.best.entry.size == min(candidate.entry.size for candidate in (found.best, *found.others))
    assert "free for it" in found.best.obstacle
    assert "slower than one reads" in on(30, 0.5).best.obstacle


def test_a_gpu_is_fast_enough() -> None:
    assert on(30, 1, shared=True).best.entry.size > on(30, 1).best.entry.size
    assert on(30, 1, gpu=24).best.speed is None


def test_tables_that_are_only_looked_up_cost_no_time() -> None:
    found = on(8, 20)  # which reads all of Gemma 4 E4B's file 3.5 times a second, and what a token needs of it 6 times
    assert found.best.entry.name == "gemma-4-e4b-it"
    assert found.best.entry.looked_up * 3 > found.best.entry.size
