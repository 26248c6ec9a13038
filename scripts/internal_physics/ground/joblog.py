"""The frame around every job: its log, its versions, and errors as plain messages."""

import gc
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NoReturn

from internal_physics.ground.errors import UserError

LOGGER = logging.getLogger("internal_physics")
FAILED = "failed"  # the last entry of the log of a job that said why
_PACKAGES = (
    "internal-physics",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "torch",
    "transformers",
    "bitsandbytes",
    "matplotlib",
)


@contextmanager
def job(snakemake: Any) -> Iterator[None]:
    """Log to the rule's log file and to stderr; turn a UserError into a plain message and a failed job.

    Garbage is looked for among what the job makes, not among its modules, and at its end no more (`quick_imports`).

    Args:
        snakemake: the object that Snakemake passes to a script.
    """
    gc.freeze()
    gc.enable()
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if snakemake.log:
        handlers.append(logging.FileHandler(str(snakemake.log[0]), mode="w", encoding="utf-8"))
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        datefmt="%H:%M:%S",
        handlers=handlers,
        force=True,
    )
    logging.captureWarnings(True)
    handlers[0].setLevel(logging.INFO)
    LOGGER.setLevel(logging.DEBUG)
    LOGGER.debug("rule %s %s", snakemake.rule, dict(snakemake.wildcards.items()))
    LOGGER.debug("versions %s, python %s, pid %d", _versions(), sys.version.split()[0], os.getpid())
    try:
        yield
    except UserError as error:
        _fail(str(error))
    except Exception:  # noqa: BLE001  (the outermost frame of a job)
        _fail(traceback.format_exc())
    finally:
        gc.freeze()
    LOGGER.debug("done")


def _fail(message: str) -> NoReturn:
    """Log why the job ends, and that it does: a log without that is of a job that was killed (`cli/last_words`)."""
    LOGGER.error("%s", message)
    LOGGER.debug(FAILED)
    raise SystemExit(1) from None


def forward(logger: logging.Logger | None) -> None:
    """Hand what the library logs, from INFO upwards, to another logger as formatted text; discard it for None."""
    LOGGER.setLevel(logging.INFO)
    LOGGER.handlers = [logging.NullHandler() if logger is None else _Forward(logger)]


class _Forward(logging.Handler):
    """Passes log records on as formatted text: Snakemake's logger prints a message without its arguments."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        self._logger.log(record.levelno, record.getMessage())


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
