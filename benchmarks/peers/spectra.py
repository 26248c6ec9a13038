"""Singular values and tail exponents of all weights: WeightWatcher beside ours."""

import logging
from collections.abc import Callable

import torch
from internal_physics.families.thermodynamics.spectra import weight_spectra
from internal_physics.models.loading import LoadedModel


def contestants(model: LoadedModel) -> dict[str, Callable[[], object]]:
    """Name → the spectra of every weight of a model."""
    return {
        "spectra": lambda: weight_spectra(model, threads=torch.get_num_threads()),
        "WeightWatcher": weight_watcher(model),
    }


def weight_watcher(model: LoadedModel) -> Callable[[], object]:
    """Its `analyze` with its own defaults."""
    import weightwatcher

    logging.getLogger("weightwatcher").setLevel(logging.ERROR)
    watcher = weightwatcher.WeightWatcher(model=model.module)
    return watcher.analyze
