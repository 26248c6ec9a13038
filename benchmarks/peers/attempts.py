"""Runs of peers within a time limit: one that takes longer is a row with its status, and the rest is measured."""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from benchmarks.harness import Cost


class OverTimeError(Exception):
    """A run took longer than it may."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OverTimeError in the block once the time is over, between two steps of Python. Main thread only."""

    def stop(*_: object) -> None:
        raise OverTimeError(f"stopped after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Attempts:
    """Runs by name; one that was stopped is not tried again.

    Args:
        limit_s: of one run.
    """

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self.stopped: dict[str, str] = {}  # who → why

    def limited(self, runs: Mapping[str, Callable[[], object]]) -> dict[str, Callable[[], object]]:
        """The same runs within the limit."""
        return {name: lambda name=name, run=run: self._attempt(name, run) for name, run in runs.items()}

    def finished(self, costs: Mapping[str, Sequence[Cost]]) -> dict[str, Sequence[Cost]]:
        """The costs of those that were never stopped."""
        return {name: own for name, own in costs.items() if name not in self.stopped}

    def _attempt(self, name: str, run: Callable[[], object]) -> None:
        if name in self.stopped:
            return
        try:
            with time_limit(self.limit_s):
                run()
        except OverTimeError as error:
            self.stopped[name] = str(error)
