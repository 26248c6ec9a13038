"""An estimate of the time left beside the steps done."""

import logging
import time
from collections.abc import Callable

PROGRESS = "progress"  # Snakemake's name for the event
FIRST = 0.1  # share of the steps


class WithTimeLeft(logging.Formatter):
    """Adds the estimated time left to what another formatter says about Snakemake's progress."""

    def __init__(self, formatter: logging.Formatter, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._formatter, self._clock, self._start = formatter, clock, clock()

    def format(self, record: logging.LogRecord) -> str:
        """The text of a log record."""
        text = self._formatter.format(record)
        if getattr(record, "event", None) != PROGRESS:
            return text
        return text + time_left(record.__dict__["done"], record.__dict__["total"], self._clock() - self._start)


def show_time_left(logger: logging.Logger) -> None:
    """Show the time left wherever this logger writes text."""
    for handler in logger.handlers:
        if handler.formatter:
            handler.setFormatter(WithTimeLeft(handler.formatter))


def time_left(done: int, total: int, seconds: float) -> str:
    """Estimated time left, as if the remaining steps took as long as those done; empty before a share `FIRST`.

    Args:
        done: number of steps, at least 1.
        total: number of steps.
        seconds: since the start.
    """
    if total == done:
        return ", the last one"
    return f", about {words_of(seconds / done * (total - done))} left" if done >= FIRST * total else ""


def words_of(seconds: float) -> str:
    """A duration to read: "40 s", "12 min", "3 h 20 min"."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
