"""Timing that can be trusted on a noisy machine: alternating runs, medians, ratios pair by pair."""

import gc
import random
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Row:
    """One line of the printed table."""

    what: str
    bar: str
    measured: str
    held: bool


def alternate(
    contestants: Mapping[str, Callable[[], object]],
    rounds: int = 5,
    *,
    warm_up: bool = True,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each contestant, run in turn `rounds` times, after one run each that does not count."""
    for run in contestants.values() if warm_up else ():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            start = clock()
            run()
            seconds[name].append(clock() - start)
    return seconds


@dataclass(frozen=True)
class Cost:
    """Seconds of one run: CPU time of all threads of the process, and time on the clock."""

    cpu: float
    wall: float


def alternate_costs(contestants: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[Cost]]:
    """Costs of each contestant, run in another order in each of the rounds, after two runs that do not count.

    Unused objects are searched for before each run, not in it.
    """
    for run in (*contestants.values(), *contestants.values()):
        run()
    costs: dict[str, list[Cost]] = {name: [] for name in contestants}
    for n in range(rounds):
        for name in random.Random(n).sample(list(contestants), len(contestants)):
            gc.collect()
            gc.disable()
            wall, cpu = time.perf_counter(), time.process_time()
            contestants[name]()
            costs[name].append(Cost(time.process_time() - cpu, time.perf_counter() - wall))
            gc.enable()
    return costs


def ratio(slow: list[float], fast: list[float]) -> float:
    """Median over rounds of slow/fast; both of a round ran seconds apart."""
    return statistics.median(s / f for s, f in zip(slow, fast, strict=True))


class PeakMemory:
    """Peak resident memory of this process above its level at entry, in bytes, sampled every 2 ms."""

    def __enter__(self) -> "PeakMemory":
        self._process, self._stop = psutil.Process(), threading.Event()
        self.base = self.peak = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def above(self) -> int:
        """Bytes above the level at entry."""
        return self.peak - self.base

    def _watch(self) -> None:
        while not self._stop.is_set():
            self.peak = max(self.peak, self._process.memory_info().rss)
            time.sleep(0.002)
