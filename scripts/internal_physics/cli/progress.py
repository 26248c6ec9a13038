"""Reads Snakemake's output: adds an estimate of the time left to the steps done, and collects the jobs that failed."""

import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path

FIRST = 0.1  # share of the steps
_STEPS = re.compile(r"^(\d+) of (\d+) steps \(\d+%\) done$")
_LOG = re.compile(r"^ {4}log: (\S+) \(check log file")
_ENTRY = re.compile(r"^\d\d:\d\d:\d\d ", flags=re.MULTILINE)


class Progress:
    """Reads a run's output line by line.

    Attributes:
        logs: of the jobs that failed, in order.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.logs: list[str] = []
        self._clock, self._start, self._in_error = clock, clock(), False

    def read(self, line: str) -> str:
        """The line as it is shown."""
        text = line.rstrip("\n")
        if text.startswith("Error in rule "):
            self._in_error = True
        elif self._in_error and (log := _LOG.match(text)):
            self.logs.append(log[1])
            self._in_error = False
        if steps := _STEPS.match(text):
            return f"{text}{self._left(int(steps[1]), int(steps[2]))}\n"
        return line

    def _left(self, done: int, total: int) -> str:
        """Estimated time left, as if the remaining steps took as long as those done; empty before a share `FIRST`."""
        if total == done:
            return ", the last one"
        seconds = (self._clock() - self._start) / done * (total - done)
        return f", about {words_of(seconds)} left" if done >= FIRST * total else ""


def words_of(seconds: float) -> str:
    """A duration to read: "40 s", "12 min", "3 h 20 min"."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def failures(logs: Iterable[str]) -> dict[str, str]:
    """Error message → log, for each job that failed. The message is the last entry of the log, or the last line of a
    traceback.

    Jobs with equal messages count once; a missing log is left out.
    """
    found: dict[str, str] = {}
    for log in logs:
        text = Path(log).read_text(encoding="utf-8", errors="replace") if Path(log).is_file() else ""
        entry = _ENTRY.split(text)[-1].strip()
        if entry:
            found.setdefault(entry.splitlines()[-1] if entry.startswith("Traceback") else entry, log)
    return found
