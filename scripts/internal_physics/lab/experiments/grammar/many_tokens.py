"""The multi-head probe on the tasks of a grammar."""

import numpy as np
import torch

from internal_physics.lab.experiments.grammar.probing import Probed, Task, judged
from internal_physics.lab.probes.multi_head import fit_multi_head_probe


def probe_many_tokens(
    features: np.ndarray, task: Task, is_fitted: np.ndarray, lengths: np.ndarray, *, heads: int, steps: int
) -> Probed:
    """Fit the probe on half of the strings, judge it on the others.

    Args:
        features: [token, d] of all strings one after another.
        task: what it must tell.
        is_fitted: [token] whether its string is for fitting.
        lengths: [string] of the strings.
        heads: of the probe.
        steps: of its training.
    """
    fitted = is_fitted[np.cumsum(lengths) - lengths]  # [string]
    spread = features[is_fitted].std(axis=0)
    scaled = (features - features[is_fitted].mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    labels = np.full(len(features), -1)
    labels[task.places] = task.labels
    rows, targets = _by_string(scaled, lengths, 0.0), _by_string(labels, lengths, -1)
    found = fit_multi_head_probe(rows[fitted], targets[fitted], task.n_classes, heads=heads, steps=steps)
    with torch.no_grad():
        told = found(torch.as_tensor(rows[~fitted], dtype=torch.float32)).argmax(-1).numpy()
    asked = targets[~fitted]
    return judged(told[asked >= 0], asked[asked >= 0], targets[fitted][targets[fitted] >= 0])


def _by_string(values: np.ndarray, lengths: np.ndarray, fill: float) -> np.ndarray:
    """[string, token, …] from [token, …] of strings one after another."""
    is_there = np.arange(lengths.max()) < lengths[:, None]
    found = np.full((*is_there.shape, *values.shape[1:]), fill, dtype=values.dtype)
    found[is_there] = values
    return found
