"""The kernel of many prompts from sketches: time, memory and disk of the rule kernel and of its tables.

The records hold made-up sketches of the size that those of SmolLM2-135M have, and nothing else: 210 matrices, 256
numbers each. `python -m benchmarks.kernel_of_many 4000 10000 --write docs/measured/kernel.yaml`
"""

import argparse
import datetime
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import yaml
from internal_physics.families.kernel.collect_kernel import collect_kernel
from internal_physics.families.kernel.from_records import kernels_of
from internal_physics.families.kernel.kernel_files import write_kernels
from internal_physics.records.info import ParameterInfo, TraceInfo, Use
from internal_physics.records.store import write_trace
from internal_physics.records.trace import GRADIENT_NORMS, SKETCHES, Trace

from benchmarks.default_run import machine

HEAD = "# What `python -m benchmarks.kernel_of_many 4000 10000 --write docs/measured/kernel.yaml` printed.\n"
SIZE, LAYERS, KINDS, WIDTH = 256, 30, 7, 576
N_TOPICS = 20  # prompts of one topic have sketches in common
LABELS = {"model": "made-up", "condition": "baseline", "prompt_set": "many"}
N_RESAMPLES = 1000


class Cost(NamedTuple):
    """What a step took; memory is the peak of its process."""

    seconds: float
    cpu_seconds: float
    memory_bytes: int


def parameters() -> tuple[ParameterInfo, ...]:
    """A weight for every layer and kind of map."""
    names = [(layer, f"layers.{layer}.{kind}") for layer in range(LAYERS) for kind in range(KINDS)]
    uses = {name: (Use(name, layer, False, name, layer),) for layer, name in names}
    return tuple(ParameterInfo(f"{name}.weight", (WIDTH, WIDTH), layer, False, uses[name]) for layer, name in names)


def make_records(folder: Path, n: int) -> None:
    """Records of n prompts: the sketch of a topic and as much noise."""
    of_all = parameters()
    rng = np.random.default_rng(0)
    topics = rng.standard_normal((N_TOPICS, len(of_all), SIZE), dtype=np.float32)
    for p in range(n):
        sketches = (topics[p % N_TOPICS] + rng.standard_normal(topics.shape[1:], dtype=np.float32)) / SIZE**0.5
        norms = np.linalg.norm(sketches, axis=1)
        info = TraceInfo(
            **{"prompt": f"p{p}", "text": f"text {p}", "token_ids": (0, 1), "tokens": ("a", "b"), "loss_nats": 1.0},
            **{"n_layers": LAYERS, "width": WIDTH, "task": "causal", "read_position": 1, "labels": LABELS},
            **{"weight_gradients": "sketch", "sketch_size": SIZE, "parameters": of_all},
        )
        write_trace(Trace(info, {SKETCHES: sketches, GRADIENT_NORMS: norms}), folder / f"p{p}.parquet")


def kernel_step(folder: Path) -> None:
    """As the rule kernel does."""
    records = sorted((folder / "records").glob("*.parquet"))
    write_kernels(kernels_of(records), folder / "kernel.parquet")


def tables_step(folder: Path) -> None:
    """As the rule collect_kernel does; the rows are made and dropped."""
    n = len(list((folder / "records").glob("*.parquet")))
    names = pd.DataFrame({"prompt": [f"p{p}" for p in range(n)], "text": [f"text {p}" for p in range(n)]})
    topics = [f"topic {p % N_TOPICS}" for p in range(n)]
    read = {"tokens": names["text"], "target_token": " b", "answer": None}
    prompts = names.assign(model=LABELS["model"], prompt_set=LABELS["prompt_set"], kind=topics, **read)
    for _ in collect_kernel([str(folder / "kernel.parquet")], prompts, seed=0, n_resamples=N_RESAMPLES):
        pass


def measured(step: Callable[[Path], None], folder: Path) -> Cost:
    """Run a step in a process of its own."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as pool:
        return pool.submit(_timed, step, folder).result()


def _timed(step: Callable[[Path], None], folder: Path) -> Cost:
    start, cpu = time.perf_counter(), time.process_time()
    step(folder)
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Cost(time.perf_counter() - start, time.process_time() - cpu, peak)


def main() -> None:
    """Make records, measure both steps for every number of prompts, print, and write if asked to."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("n", type=int, nargs="+", help="numbers of prompts")
    arguments.add_argument("--write", type=Path, help="also write the numbers to this YAML file")
    given = arguments.parse_args()
    head = ["prompts", "sketches", "kernel on disk", "step", "clock", "CPU", "peak memory"]
    facts = {
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
        "rows": [head, *(row for n in given.n for row in rows_of(n))],
    }
    text = yaml.safe_dump(facts, sort_keys=False, allow_unicode=True, width=200, default_flow_style=None)
    if given.write:
        given.write.write_text(HEAD + text, encoding="utf-8")
    print(text)


def rows_of(n: int) -> list[list[str]]:
    """A row for each step of a kernel of n prompts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "records").mkdir()
        make_records(folder / "records", n)
        costs = {"kernel": measured(kernel_step, folder), "tables": measured(tables_step, folder)}
        disk = sum(path.stat().st_size for path in (folder / "records").iterdir())
        sizes = [f"{size / 1e9:.2g} GB" for size in (disk, (folder / "kernel.parquet").stat().st_size)]
    return [[f"{n:,}", *sizes, *_row(step, cost)] for step, cost in costs.items()]


def _row(step: str, cost: Cost) -> list[str]:
    return [step, f"{cost.seconds:.0f} s", f"{cost.cpu_seconds:.0f} s", f"{cost.memory_bytes / 1e9:.1f} GB"]


if __name__ == "__main__":
    main()
