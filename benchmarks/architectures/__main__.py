"""Examine classes and print or write what was found: `make architectures`, or `... --only llama bert` for a look."""

import argparse
import json
import logging
import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # processes share the cores
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "scripts")]

import torch  # noqa: E402
import transformers  # noqa: E402

from benchmarks.architectures.classes import all_classes, architecture_of  # noqa: E402
from benchmarks.architectures.examine import examine  # noqa: E402
from benchmarks.architectures.outcome import NOT_RUN, Outcome  # noqa: E402
from benchmarks.architectures.workers import examine_all  # noqa: E402

MEASURED = ROOT / "docs" / "measured" / "architectures.json"


def sweep(classes: list[tuple[str, str]], n_workers: int, limit_seconds: float) -> list[Outcome]:
    """Outcomes of classes, in their order; a line is printed for each as it comes."""
    found = {}
    for result in examine_all(classes, examine, n_workers=n_workers, limit_seconds=limit_seconds):
        outcome = result
        if isinstance(result, tuple):
            model_type, task, reason = result
            outcome = Outcome(model_type, task, architecture_of(model_type, task), NOT_RUN, reason)
        found[outcome.key] = outcome
        share = "" if outcome.covered is None else f"{outcome.covered:.1%}"
        print(f"{outcome.task} {outcome.model_type}: {outcome.outcome} {share} {outcome.reason}", flush=True)
    return [found[key] for key in classes]


def write(outcomes: Iterable[Outcome], path: Path) -> None:
    """One line for each class, so that a change shows as the lines of the classes that changed."""
    rows = ",\n".join(json.dumps(outcome.to_json(), ensure_ascii=False) for outcome in outcomes)
    versions = json.dumps({"transformers": transformers.__version__, "torch": torch.__version__.partition("+")[0]})
    path.write_text(f'{{"versions": {versions},\n"classes": [\n{rows}\n]}}\n', encoding="utf-8")


def _with_others(outcomes: list[Outcome], path: Path) -> list[Outcome]:
    """New outcomes, and those of the other classes that the file has; in the order of all classes."""
    stored = json.loads(path.read_text(encoding="utf-8"))["classes"] if path.exists() else []
    by_key = {outcome.key: outcome for outcome in (*map(Outcome.from_json, stored), *outcomes)}
    return [by_key[key] for key in all_classes() if key in by_key]


def main() -> None:
    """Examine all classes or those asked for."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", nargs="+", help="model types; what the file has of others stays; by default all")
    arguments.add_argument("--workers", type=int, default=2, help="processes at a time")
    arguments.add_argument("--limit", type=float, default=120.0, help="seconds for one class")
    arguments.add_argument("--write", type=Path, help="write the outcomes here (docs/measured/architectures.json)")
    given = arguments.parse_args()
    quiet()
    classes = [(name, task) for name, task in all_classes() if not given.only or name in given.only]
    outcomes = sweep(classes, given.workers, given.limit)
    print(dict(Counter((outcome.task, outcome.outcome) for outcome in outcomes)))
    if given.write:
        write(_with_others(outcomes, given.write) if given.only else outcomes, given.write)


def quiet() -> None:
    """Libraries warn of optional kernels and of unusual configs, once for each class."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    transformers.utils.logging.set_verbosity_error()


if __name__ == "__main__":
    main()
