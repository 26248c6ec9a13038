"""Snakemake's output made readable: the time left beside the steps done, and no list of hundreds of files."""

import logging
import re
import time
from collections.abc import Callable

PROGRESS, JOB_INFO = "progress", "job_info"  # Snakemake's names for the events
REASON = re.compile(r"^.*\bReason: .*$", re.MULTILINE)
NAMED = 3
FIRST = 0.1  # share of the steps


class Readable(logging.Formatter):
    """Adds to what another formatter says: the estimated time left beside the progress; long reasons are cut."""

    def __init__(self, formatter: logging.Formatter, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._formatter, self._clock, self._start = formatter, clock, clock()

    def format(self, record: logging.LogRecord) -> str:
        """The text of a log record."""
        text = self._formatter.format(record)
        event = getattr(record, "event", None)
        if event == JOB_INFO:
            return with_short_reasons(text)
        if event == PROGRESS:
            return text + time_left(record.__dict__["done"], record.__dict__["total"], self._clock() - self._start)
        return text


def make_readable(logger: logging.Logger) -> None:
    """Make what this logger writes as text readable."""
    for handler in logger.handlers:
        if handler.formatter:
            handler.setFormatter(Readable(handler.formatter))


def with_short_reasons(text: str) -> str:
    """A text in which each list of more than `NAMED` files after "Reason:" names the first ones and counts the rest.

    Snakemake writes "Reason: Missing output files: a, b; Input files updated by another job: c, d".
    """
    return REASON.sub(lambda line: "; ".join(map(_shortened, line[0].split("; "))), text)


def _shortened(reason: str) -> str:
    names = reason.split(", ")
    if len(names) <= NAMED + 1:  # "and 1 more" would be no shorter than the name
        return reason
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"


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
