"""Rule collect_kernel: the kernels of all models and conditions → the tables of the family."""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from internal_physics.families.kernel.kernel_files import read_kernels
from internal_physics.families.kernel.neighbours import neighbour_rows
from internal_physics.families.kernel.of_one import map_rows, pair_rows, share_rows, spectrum_rows, summary_row
from internal_physics.families.kernel.parts import PromptName, cosine_kernel
from internal_physics.families.kernel.tables import KERNEL_CKA, KERNEL_KINDS, KERNEL_SUMMARY
from internal_physics.families.kernel.usable import Usable, usable, without_errors
from internal_physics.ground.names import BASELINE
from internal_physics.ground.seeds import seed_of
from internal_physics.ground.status import OK, join_status
from internal_physics.statistics.alignment import FEWEST_ITEMS, align_with_groups, centred_alignment, debiased_alignment
from internal_physics.statistics.alignment_statuses import TOO_FEW_ITEMS, UNDEFINED
from internal_physics.statistics.many_tests import adjust_false_discovery

_Side = tuple[tuple[PromptName, ...], NDArray[np.float64]]  # prompts and their cosine kernel


def collect_kernel(
    paths: Sequence[str], prompts: pd.DataFrame, *, seed: int, n_resamples: int
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Chunks of all tables; the kernels of one file are in memory, and of the others the cosine kernels alone.

    Of a kernel, four squares of its prompts are in memory at once: it, its cosines, and one to work with in float64,
    which is as large as two of float32. Its error is left once the nearest prompts are known.

    Args:
        paths: files results/metrics/kernel/{model}/{condition}.parquet.
        prompts: table `prompts_read`, for texts and kinds.
        seed: of the permutations.
        n_resamples: permutations per p-value.
    """
    summaries, kinds, sides = [], [], []
    for path in paths:
        kernels = read_kernels(path)
        while kernels:
            of = kernels.pop(0)
            yield "kernel", pair_rows(of)
            one = usable(of, prompts)
            del of  # one holds another kernel where prompts are left out
            yield "kernel_neighbours", neighbour_rows(one)
            one = without_errors(one)
            yield "kernel_spectra", spectrum_rows(one)
            yield "kernel_map", map_rows(one)
            yield "kernel_shares", share_rows(one)
            yield "kernel_cka", _table(KERNEL_CKA, _between_layers(one))
            summaries.append(summary_row(one))
            kinds += kind_rows(one, seed=seed, n_resamples=n_resamples)
            sides.append((one.key, (one.prompts, one.cosines)))
    yield "kernel_cka", _table(KERNEL_CKA, between_runs(sides))
    yield "kernel_summary", _table(KERNEL_SUMMARY, summaries)
    table = pd.DataFrame(kinds, columns=[name for name in KERNEL_KINDS.columns if name != "p_adjusted"])
    adjusted = adjust_false_discovery(table["p"].astype("float64"))
    yield "kernel_kinds", table.assign(p_adjusted=adjusted)[list(KERNEL_KINDS.columns)]


def kind_rows(of: Usable, *, seed: int, n_resamples: int) -> list[dict[str, Any]]:
    """Rows of table `kernel_kinds` without adjusted p: all weights, raw and cosine, and every layer alone (cosine)."""
    has_kind = np.flatnonzero(of.kinds != "")
    layers = {layer: cosine_kernel(of.kernel.matrix(layer=layer)) for layer in of.kernel.layers}
    names = [("raw", None), ("cosine", None), *(("cosine", layer) for layer in layers)]
    kernels = [_of_some(kernel, has_kind) for kernel in (of.matrix, of.cosines, *layers.values())]
    own_seed = seed_of(seed, "kernel_kinds", *of.key.values())
    found = align_with_groups(kernels, list(of.kinds[has_kind]), seed=own_seed, n_resamples=n_resamples)
    why = UNDEFINED if found.status == OK else found.status
    return [
        {
            **of.key,
            **{"normalisation": normalisation, "layer": layer, "cka": cka, "debiased_cka": debiased, "p": p},
            **{"n_prompts": len(has_kind), "n_kinds": len(np.unique(of.kinds[has_kind]))},
            "status": join_status(of.left_out, _undefined(cka + debiased, why)),
        }
        for (normalisation, layer), cka, debiased, p in zip(names, *found[:3], strict=True)
    ]


def between_runs(sides: Sequence[tuple[dict[str, str], _Side]]) -> list[dict[str, Any]]:
    """Rows of table `kernel_cka` over all weights: models in one condition, and a condition with the baseline."""
    rows = []
    for (other_key, other), (key, side) in combinations(sides, 2):
        of_models = key["condition"] == other_key["condition"]
        of_conditions = key["model"] == other_key["model"] and BASELINE in (key["condition"], other_key["condition"])
        if key["source"] == other_key["source"] and (of_models or of_conditions):
            rows.append(key | _other(other_key, None, None) | compare(side, other))
    return rows


def _between_layers(of: Usable) -> list[dict[str, Any]]:
    """Rows of table `kernel_cka` for every two layers of a model in the baseline."""
    layers = of.kernel.layers if of.condition == BASELINE else []
    sides = {layer: (of.prompts, cosine_kernel(of.kernel.matrix(layer=layer))) for layer in layers}
    return [
        of.key | _other(of.key, layer, other) | compare(sides[layer], sides[other])
        for layer, other in combinations(layers, 2)
    ]


def _other(key: dict[str, str], layer: int | None, other_layer: int | None) -> dict[str, Any]:
    return {
        "layer": layer,
        "other_model": key["model"],
        "other_condition": key["condition"],
        "other_layer": other_layer,
    }


def compare(side: _Side, other: _Side) -> dict[str, Any]:
    """CKA of two cosine kernels over the prompts that have a direction in both."""
    place = {name: i for i, name in enumerate(other[0])}
    pairs = np.array([(i, place[name]) for i, name in enumerate(side[0]) if name in place], dtype=int).reshape(-1, 2)
    finite = [np.isfinite(np.diagonal(kernel))[at] for (_, kernel), at in zip((side, other), pairs.T, strict=True)]
    pairs = pairs[finite[0] & finite[1]]
    shared = [_of_some(kernel, at) for (_, kernel), at in zip((side, other), pairs.T, strict=True)]
    cka, debiased = centred_alignment(*shared), debiased_alignment(*shared)
    why = TOO_FEW_ITEMS if len(pairs) < FEWEST_ITEMS else UNDEFINED
    return {
        "cka": cka,
        "debiased_cka": debiased,
        "n_prompts": len(pairs),
        "status": _undefined(cka + debiased, why) or OK,
    }


def _of_some(kernel: NDArray, places: NDArray[np.intp]) -> NDArray:
    """Its rows and columns there; itself, if these are all in their order."""
    return kernel if np.array_equal(places, np.arange(len(kernel))) else kernel[np.ix_(places, places)]


def _undefined(value: float, why: str) -> str:
    return why if math.isnan(value) else ""


def _table(table: Any, rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(table.columns))
