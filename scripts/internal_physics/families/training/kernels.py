"""Table training_kernels: how far the tangent kernel of a training has moved, and how fast."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from internal_physics.families.training.checkpoints import of_checkpoints, plateaus
from internal_physics.ground.names import BASELINE
from internal_physics.ground.status import OK

NO_PROMPTS = "no prompts that all checkpoints have a gradient for"
ZERO = "a kernel is zero"
_PAIR = ["prompt_set", "prompt", "other_prompt_set", "other_prompt"]


def kernels_along_training(
    kernel: pd.DataFrame, kernel_summary: pd.DataFrame, models: pd.DataFrame, penalty: float
) -> pd.DataFrame:
    """The rows of the table, in the baseline.

    Args:
        kernel: table `kernel`: every pair of prompts.
        kernel_summary: table of that name.
        models: table `models`; models without a parent are left out.
        penalty: what a change point of the distance must save, see `thermodynamics.change_points`.
    """
    pairs = of_checkpoints(kernel[(kernel["condition"] == BASELINE) & (kernel["status"] == OK)], models)
    ranks = kernel_summary[kernel_summary["condition"] == BASELINE].set_index(["model", "source"])["effective_rank"]
    found = pd.DataFrame(
        row for _, of_training in pairs.groupby(["parent", "source"]) for row in _of_training(of_training, ranks)
    )
    if found.empty:
        return found
    series = found.groupby(["parent", "source"], sort=False)["distance_from_first"]
    return found.assign(begins_plateau=series.transform(lambda values: plateaus(values, penalty)).astype("boolean"))


def kernel_distance(first: np.ndarray, second: np.ndarray) -> float:
    """S = 1 − tr(K₁ K₂)/(‖K₁‖ ‖K₂‖) of two symmetric [n, n] kernels; in [0, 2], NaN where one is zero or empty."""
    norms = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.clip(1.0 - np.sum(first * second) / norms, 0.0, 2.0)) if norms > 0 else float("nan")


def _of_training(pairs: pd.DataFrame, ranks: pd.Series) -> Iterator[dict[str, object]]:
    """One row per checkpoint of one training and one source."""
    pairs = pairs.sort_values("step")
    prompts = _common_prompts(pairs)
    kernels = [(keys, _matrix(rows, prompts)) for keys, rows in pairs.groupby(["step", "model"], sort=False)]
    before: tuple[int, np.ndarray] | None = None
    for (step, model), matrix in kernels:
        distance = kernel_distance(kernels[0][1], matrix)
        source = pairs["source"].iloc[0]
        yield {
            "parent": pairs["parent"].iloc[0],
            "step": step,
            "model": model,
            "source": source,
            "distance_from_first": distance,
            "previous_step": None if before is None else before[0],
            "velocity": np.nan if before is None else kernel_distance(before[1], matrix),
            "trace": float(np.trace(matrix)),
            "effective_rank": float(ranks.get((model, source), np.nan)),
            "n_prompts": len(prompts),
            "status": NO_PROMPTS if not prompts else OK if np.isfinite(distance) else ZERO,
        }
        before = (step, matrix)


def _common_prompts(pairs: pd.DataFrame) -> list[tuple[str, str]]:
    """Prompts with a squared norm at every checkpoint, in the order of their names."""
    own = pairs[(pairs["prompt_set"] == pairs["other_prompt_set"]) & (pairs["prompt"] == pairs["other_prompt"])]
    sets = [set(zip(rows["prompt_set"], rows["prompt"], strict=True)) for _, rows in own.groupby("step")]
    return sorted(set.intersection(*sets)) if sets else []


def _matrix(rows: pd.DataFrame, prompts: list[tuple[str, str]]) -> np.ndarray:
    """[n, n] kernel of these prompts; the table lists each pair once or twice."""
    place = {prompt: index for index, prompt in enumerate(prompts)}
    matrix = np.zeros((len(prompts), len(prompts)))
    for prompt_set, prompt, other_set, other, value in rows[[*_PAIR, "value"]].itertuples(index=False):
        i, j = place.get((prompt_set, prompt)), place.get((other_set, other))
        if i is not None and j is not None:
            matrix[i, j] = matrix[j, i] = value
    return matrix
