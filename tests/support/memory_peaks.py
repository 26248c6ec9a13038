"""Peak memory of loading and recording models, each in a process of its own: python memory_peaks.py TINY CASES.json.

The file lists cases, [folder, LoadOptions]; for each, its peaks are printed as a line of JSON, in MB. A process is
forked for each case, so that the libraries are imported once; the parent computes nothing, since threads do not survive
a fork. Before its case a process records the tiny model in the folder TINY: what that takes is the base.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import bitsandbytes  # noqa: F401  (its memory is part of the base)
import torch
from internal_physics.config.options.record import RecordOptions
from internal_physics.config.prompts import Prompt
from internal_physics.models.loading import load_snapshot
from internal_physics.models.options import LoadOptions
from internal_physics.recording.encoding import encode_prompts
from internal_physics.recording.recorder import record_batches
from internal_physics.recording.selfcheck import check_model
from internal_physics.records.store import write_trace

TEXTS = ("The capital of France is", "once upon a time there was")
N_THREADS = 2


def peak_mb(what: str = "VmHWM") -> float:
    """Peak (VmHWM) or present (VmRSS) resident memory of this process, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) * 1024 / 1e6


def load_and_record(folder: Path, options: dict[str, Any], output: Path) -> float:
    """Load a model, prove it, record the texts; returns the peak once it is loaded, in MB."""
    model = load_snapshot(folder, LoadOptions(device="cpu", **options))
    loaded = peak_mb()
    model = check_model(model).model
    encoded = encode_prompts(model, [Prompt(name=f"p{i}", text=text) for i, text in enumerate(TEXTS)])
    for trace in record_batches(model, encoded, RecordOptions()):
        write_trace(trace, output)
    return loaded


def measure(folder: Path, options: dict[str, Any], tiny: Path) -> dict[str, float]:
    """Peaks of one case above the base, in MB: while loading, of all; and the peak of the process."""
    torch.set_num_threads(N_THREADS)
    output = tiny / f"{os.getpid()}.parquet"
    load_and_record(tiny, {}, output)
    base = peak_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    loaded = load_and_record(folder, options, output)
    return {"base": base, "loading": loaded - base, "above": peak_mb() - base, "process": peak_mb()}


def in_own_process(folder: Path, options: dict[str, Any], tiny: Path) -> dict[str, float]:
    """`measure` in a forked process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, json.dumps(measure(folder, options, tiny)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as found:
        peaks = found.read()
    os.waitpid(child, 0)
    return json.loads(peaks)


if __name__ == "__main__":
    cases = json.loads(Path(sys.argv[2]).read_text())
    for folder, options in cases:
        print(json.dumps(in_own_process(Path(folder), options, Path(sys.argv[1]))), flush=True)
