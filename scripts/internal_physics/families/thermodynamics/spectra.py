"""Rule spectra: the singular values of every matrix of a model, on several cores or on its GPUs.

On a CPU each weight is one piece of work for one thread, and BLAS gets one thread too: that is twice as fast as giving
all threads to one decomposition after another. On a GPU weights of one shape are stacked and decomposed together.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits

from internal_physics.families.thermodynamics.spectrum import (
    Spectrum,
    effective_rank,
    from_eigenvalues,
    spectrum,
    stable_rank,
)
from internal_physics.families.thermodynamics.tail import tail_exponent
from internal_physics.ground.status import OK
from internal_physics.models.loading import LoadedModel, load_snapshot
from internal_physics.models.options import LoadOptions
from internal_physics.models.snapshot import read_manifest
from internal_physics.models.weights import Weight, weights_of

LOGGER = logging.getLogger("internal_physics")
BATCH_NUMBERS = 2**27  # float64 numbers stacked at a time on a GPU: 1 GB


def spectra(*, snapshot: str | Path, load: Mapping[str, Any], model: str, threads: int) -> pd.DataFrame:
    """Load a snapshot (without running it) and decompose its weights; columns as in `weight_spectra`, and `model`.

    Raises:
        UserError: if the snapshot is damaged or cannot be loaded.
    """
    torch.set_num_threads(threads)
    read_manifest(snapshot)
    table = weight_spectra(load_snapshot(snapshot, LoadOptions(**load)), threads=threads)
    table.insert(0, "model", model)
    flagged = table[table.status != OK]
    LOGGER.info("%d weights, methods %s", len(table), table.method.value_counts().to_dict())
    for row in flagged.itertuples():
        LOGGER.warning("%s: %s", row.parameter, row.status)
    return table


def weight_spectra(model: LoadedModel, *, threads: int = 1) -> pd.DataFrame:
    """One row per matrix, tied weights once, in the order of the model's parameters; see `models.weights`.

    Columns: parameter, layer, kind, shape [rows, columns], weight_norm, singular_values [r], stable_rank,
    effective_rank, method, error_bound, status, alpha, tail_minimum, tail_distance, n_tail, tail_status.
    """
    weights = list(weights_of(model.module, model.anatomy))
    on_gpu = [w for w in weights if w.device.type == "cuda"]
    on_cpu = [w for w in weights if w.device.type != "cuda"]
    found = {row["parameter"]: row for row in (*_in_threads(on_cpu, threads), *_batched(on_gpu))}
    return pd.DataFrame([found[weight.parameter] for weight in weights])


def _in_threads(weights: Sequence[Weight], threads: int) -> list[dict[str, Any]]:
    """Each weight in a thread of its own; BLAS and torch stay with one thread each meanwhile."""
    torch_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1), ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
            return list(pool.map(_decompose, weights))
    finally:
        torch.set_num_threads(torch_threads)


def _decompose(weight: Weight) -> dict[str, Any]:
    matrix = weight.dense()
    values = (matrix if matrix.dtype == torch.float64 else matrix.float()).numpy()
    norm = float(np.sqrt(np.einsum("ij,ij->", values, values, dtype=np.float64)))
    return _row(weight, norm, spectrum(values))


def _batched(weights: Sequence[Weight]) -> Iterator[dict[str, Any]]:
    """Weights of one shape and device together, as many as fit into `BATCH_NUMBERS`."""
    for (_, shape), group in groupby(sorted(weights, key=_batch_key), key=_batch_key):
        same = list(group)
        step = max(1, BATCH_NUMBERS // (shape[0] * shape[1]))
        for start in range(0, len(same), step):
            part = same[start : start + step]
            stack = torch.stack([w.dense().double() for w in part])
            yield from (_row(w, *found) for w, found in zip(part, decompose_stack(stack), strict=True))


def _batch_key(weight: Weight) -> tuple[str, tuple[int, int]]:
    return str(weight.device), weight.shape


def decompose_stack(stack: torch.Tensor) -> list[tuple[float, Spectrum]]:
    """Norm and spectrum of each matrix of a stack [b, rows, columns] in float64, on the device it is on.

    The Gram route for all at once; a matrix for which it fails or is not exact enough goes on alone, to the
    routes of `spectrum` on the CPU.
    """
    tall = stack if stack.shape[1] >= stack.shape[2] else stack.transpose(1, 2)
    norms = torch.linalg.matrix_norm(stack).tolist()
    try:
        eigenvalues = torch.linalg.eigvalsh(tall.transpose(1, 2) @ tall).cpu().numpy()
    except torch.linalg.LinAlgError:
        return [(norm, spectrum(m.cpu().numpy())) for norm, m in zip(norms, stack, strict=True)]
    found = []
    for norm, matrix, values in zip(norms, stack, eigenvalues, strict=True):
        regular = np.isfinite(norm) and norm > 0
        by_gram = from_eigenvalues(values, tall.shape[1]) if regular else None
        found.append((norm, by_gram or spectrum(matrix.cpu().numpy())))
    return found


def _row(weight: Weight, norm: float, found: Spectrum) -> dict[str, Any]:
    values = found.singular_values
    tail = tail_exponent(values, resolution=found.error_bound)
    return {
        "parameter": weight.parameter,
        "layer": weight.layer,
        "kind": weight.kind,
        "shape": list(weight.shape),
        "weight_norm": norm,
        "singular_values": values,
        "stable_rank": stable_rank(values),
        "effective_rank": effective_rank(values),
        "method": found.method,
        "error_bound": found.error_bound,
        "status": found.status,
        "alpha": tail.alpha,
        "tail_minimum": tail.minimum,
        "tail_distance": tail.distance,
        "n_tail": tail.n_tail,
        "tail_status": tail.status,
    }
