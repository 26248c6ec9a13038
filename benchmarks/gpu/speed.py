"""Speed on a GPU: recording against the usual backward pass, how often the host waits, loading, spectra and lens."""

import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from internal_physics.families.information.lens import lens
from internal_physics.families.thermodynamics.spectra import weight_spectra
from internal_physics.models.lazy_readout import open_readout
from internal_physics.models.loading import LoadedModel, load_snapshot
from internal_physics.models.options import LoadOptions
from internal_physics.recording.encoding import Encoded
from internal_physics.recording.recorder import model_inputs

from benchmarks.gpu.model import PRECISIONS, load, questions, record

HEAD = ["sixteen prompts", *PRECISIONS]
ROUNDS = 5
ROUNDS_ALONE = 2  # of what runs each prompt alone, which takes long
ON_GPU = {
    "bare pass, one batch": "bare",
    "usual backward, one at a time": "usual",
    "record norms, one batch": "norms",
    "record factors, one batch": "factors",
    "record norms, one at a time": "alone",
    "usual backward ÷ record norms": "ratio",
    "record factors ÷ bare pass": "over bare",
    "reads by the host in a batch with norms": "reads of norms",
    "reads by the host in a batch with factors": "reads of factors",
    "memory above the weights, norms": "memory of norms",
    "memory above the weights, factors": "memory of factors",
    "loading and self-check": "load",
}


def milliseconds(run: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median over rounds, after one that does not count."""
    run()
    torch.cuda.synchronize()
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        torch.cuda.synchronize()
        taken.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken)


def reads(run: Callable[[], object]) -> int:
    """How often torch says that the host waits for the GPU."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            run()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(w.message).lower() and "prototype" not in str(w.message) for w in said)


def memory(run: Callable[[], object]) -> str:
    """The card's peak memory above what it holds before, as torch allocates it."""
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    run()
    return f"{(torch.cuda.max_memory_allocated() - before) / 1e9:.2f} GB"


def bare_batch(model: LoadedModel, encoded: list[Encoded]) -> None:
    """Forward and backward pass of one batch with frozen weights."""
    inputs = model_inputs(model, encoded, attention_entropy=False)
    embedding = model.module.get_input_embeddings()
    handle = embedding.register_forward_hook(lambda _m, _a, output: output.requires_grad_(True))
    model.module(**inputs, labels=inputs["input_ids"]).loss.backward()
    handle.remove()


def usual_backward(model: LoadedModel, encoded: list[Encoded]) -> None:
    """Each prompt alone, the gradients of all weights by autograd."""
    module = model.module.requires_grad_(True)
    for e in encoded:
        module.zero_grad()
        ids = torch.tensor([e.ids], device=model.device)
        module(ids, labels=ids).loss.backward()
    module.zero_grad(set_to_none=True)
    module.requires_grad_(False)


def of_precision(snapshot: Path, name: str) -> dict[str, str]:
    """What of ON_GPU there is for a precision, as text."""
    start = time.perf_counter()
    model = load(snapshot, "cuda", **PRECISIONS[name])
    seconds = time.perf_counter() - start
    encoded = questions(model)
    runs: dict[str, Callable[[], object]] = {
        "bare": lambda: bare_batch(model, encoded),
        "norms": lambda: record(model, encoded, weight_gradients="norms"),
        "factors": lambda: record(model, encoded, weight_gradients="factors"),
        "alone": lambda: record(model, encoded, weight_gradients="norms", batch_size=1),
    }
    if name in ("float32", "bfloat16"):
        runs["usual"] = lambda: usual_backward(model, encoded)
    rounds = dict.fromkeys(("alone", "usual"), ROUNDS_ALONE)
    taken = {what: milliseconds(run, rounds.get(what, ROUNDS)) for what, run in runs.items()}
    found = {what: f"{value:.0f} ms" for what, value in taken.items()}
    if "usual" in taken:
        found["ratio"] = f"{taken['usual'] / taken['norms']:.1f}×"
    found["over bare"] = f"{taken['factors'] / taken['bare']:.2f}×"
    found |= {f"memory of {kept}": memory(runs[kept]) for kept in ("norms", "factors")}
    found |= {f"reads of {kept}": str(reads(runs[kept])) for kept in ("norms", "factors")}
    print(name, found, flush=True)
    return found | {"load": f"{seconds:.1f} s"}


def table(snapshot: Path) -> list[list[str]]:
    """Rows of text, the head first."""
    found = {name: of_precision(snapshot, name) for name in PRECISIONS}
    return [HEAD, *([what, *(found[name].get(key, "") for name in PRECISIONS)] for what, key in ON_GPU.items())]


def beside_the_cpu(snapshot: Path) -> Iterator[list[str]]:
    """Spectra of all weights and the lens of sixteen prompts, on the GPU and on the host's CPU; the head first."""
    yield ["what", "GPU", "CPU"]
    models = {d: load_snapshot(snapshot, LoadOptions(device=d)) for d in ("cuda", "cpu")}
    threads = torch.get_num_threads()
    yield [
        "singular values of all weights",
        *(f"{_seconds(lambda m=m: weight_spectra(m, threads=threads)):.2g} s" for m in models.values()),
    ]
    traces = record(models["cuda"], questions(models["cuda"]), weight_gradients="none")
    readouts = [open_readout(snapshot, LoadOptions(device=d)) for d in ("cuda", "cpu")]
    yield [
        "readout of sixteen prompts at every residual",
        *(f"{_seconds(lambda r=r: [lens(trace, r) for trace in traces]):.2g} s" for r in readouts),
    ]


def _seconds(run: Callable[[], object]) -> float:
    return milliseconds(run, rounds=1) / 1000
