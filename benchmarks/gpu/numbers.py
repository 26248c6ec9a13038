"""The numbers of a GPU against those of the CPU, each with the tolerance that it is held to."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from internal_physics.families.information.lens import lens
from internal_physics.families.thermodynamics.spectra import weight_spectra
from internal_physics.models.lazy_readout import open_readout
from internal_physics.models.loading import load_snapshot
from internal_physics.models.options import LoadOptions
from internal_physics.recording import norms
from internal_physics.records.trace import Trace

from benchmarks.gpu.model import load, questions, record
from benchmarks.harness import Row

# Relative to the norm of what is compared. float32: rounding, over thirty blocks. bfloat16 keeps 8 bits, and another
# order of additions rounds differently. nf4: a weight halfway between two levels gets another on another device
# (seen: 1.3e-3). int8 rounds activations, too.
FLOAT32, BFLOAT16, NF4 = 1e-3, 0.5, 1e-2
LOSS = {"float32": 1e-5, "bfloat16": 2e-2, "nf4": 1e-4, "int8": 0.1}
SPECTRA = 1e-6  # of the largest singular value, in float64 on both
LENS = 1e-4


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    """‖found − expected‖ / ‖expected‖; 0 for two zeros."""
    difference = np.linalg.norm(np.asarray(found, np.float64) - expected)
    return float(difference / np.linalg.norm(expected)) if difference else 0.0


def worst(of_gpu: Sequence[Trace], of_cpu: Sequence[Trace], sites: Callable[[str], bool]) -> float:
    """Largest relative difference of a tensor; ids and attention entropies near zero are left out."""
    expected = {trace.info.prompt: trace for trace in of_cpu}
    return max(
        relative(tensor, expected[trace.info.prompt].tensors[key])
        for trace in of_gpu
        for key, tensor in trace.tensors.items()
        if sites(key.site) and not key.quantity.endswith("ids")
    )


def losses(of_gpu: Sequence[Trace], of_cpu: Sequence[Trace]) -> float:
    """Largest relative difference of a loss."""
    expected = {trace.info.prompt: trace.info.loss_nats for trace in of_cpu}
    return max(abs(trace.info.loss_nats / expected[trace.info.prompt] - 1) for trace in of_gpu)


def norms_apart(found: Sequence[Trace], expected: Sequence[Trace]) -> float:
    """Largest relative difference of a gradient norm."""
    by_prompt = {trace.info.prompt: trace for trace in expected}
    return max(
        abs(trace.gradient_norm(info.name) / by_prompt[trace.info.prompt].gradient_norm(info.name) - 1)
        for trace in found
        for info in trace.info.parameters
        if by_prompt[trace.info.prompt].gradient_norm(info.name) > 0
    )


def rows(snapshot: Path) -> Iterator[Row]:
    """Compare everything, float32 first."""
    of_gpu, of_cpu = (load(snapshot, device) for device in ("cuda", "cpu"))
    encoded = questions(of_cpu)
    found, expected = (record(model, encoded) for model in (of_gpu, of_cpu))
    yield held("float32: loss", LOSS["float32"], losses(found, expected))
    yield held("float32: residuals and their gradients", FLOAT32, worst(found, expected, _is_residual))
    yield held("float32: factors of all weight gradients", FLOAT32, worst(found, expected, _is_factor))
    kept = record(of_gpu, encoded, weight_gradients="norms")
    yield held("float32: norms, against the factors of the same GPU", norms.MOST_ERROR, norms_apart(kept, found))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(norms, "product_dtype", lambda _: torch.float32)
        narrow = record(of_gpu, encoded, weight_gradients="norms")
    yield held("norms by products in float32, against float64", norms.MOST_ERROR, norms_apart(narrow, kept))
    yield from _others(snapshot)
    yield _spectra(snapshot)
    yield _lens(snapshot, expected[0])


def _others(snapshot: Path) -> Iterator[Row]:
    options = {
        "bfloat16": {"dtype": "bfloat16"},
        "nf4": {"quantization": "nf4", "compute_dtype": "float32"},
        "int8": {"quantization": "int8"},
    }
    for name, given in options.items():
        models = [load(snapshot, device, **given) for device in ("cuda", "cpu")]
        found, expected = (record(model, questions(model), weight_gradients="norms") for model in models)
        yield held(f"{name}: loss", LOSS[name], losses(found, expected))
        if name != "int8":
            limit = {"bfloat16": BFLOAT16, "nf4": NF4}[name]
            yield held(f"{name}: residuals and their gradients", limit, worst(found, expected, _is_residual))


def _spectra(snapshot: Path) -> Row:
    of_gpu, of_cpu = (
        weight_spectra(load_snapshot(snapshot, LoadOptions(device=d)), threads=4) for d in ("cuda", "cpu")
    )
    apart = max(
        float(np.abs(np.asarray(found) - expected).max() / max(expected))
        for found, expected in zip(of_gpu.singular_values, of_cpu.singular_values, strict=True)
    )
    return held("singular values of all weights", SPECTRA, apart)


def _lens(snapshot: Path, trace: Trace) -> Row:
    found, expected = (lens(trace, open_readout(snapshot, LoadOptions(device=device))) for device in ("cuda", "cpu"))
    return held("entropy at every residual (lens)", LENS, relative(found.entropy_nats, expected.entropy_nats))


def _is_residual(site: str) -> bool:
    return site == "residual"


def _is_factor(site: str) -> bool:
    return site not in {"residual", "attention", "logits"}


def held(what: str, tolerance: float, difference: float) -> Row:
    """A line of the report."""
    return Row(what, f"≤ {tolerance:.0e}", f"{difference:.1e}", difference <= tolerance)
