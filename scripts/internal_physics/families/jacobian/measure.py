"""A model and a prompt → the numbers of the local linear map of every block."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from internal_physics.families.jacobian.local_map import LocalMap, of_matrix, of_probes
from internal_physics.families.jacobian.options import MapOptions
from internal_physics.families.jacobian.tables import EXACT, N_VALUES, PROBES
from internal_physics.ground.seeds import seed_of
from internal_physics.models.loading import LoadedModel
from internal_physics.recording.encoding import Encoded
from internal_physics.recording.jacobians import BlockMap, block_maps
from internal_physics.steering.intervention import Steering


def map_rows(
    model: LoadedModel, encoded: Encoded, options: MapOptions, seed: int, steering: Steering | None = None
) -> Iterator[tuple[dict[str, Any], LocalMap]]:
    """For every block, its columns of table `jacobians` without the keys of the prompt, and all its numbers."""
    maps = block_maps(
        model,
        encoded,
        exact_width=options.exact_width,
        probes=options.probes,
        seed_of_layer=lambda layer: seed_of(seed, str(layer)),
        steering=steering,
    )
    epsilon = float(torch.finfo(model.module.dtype).eps)
    for block in maps:
        found = _measured(block, epsilon)
        yield _row(block, found), found


def _measured(block: BlockMap, epsilon: float) -> LocalMap:
    products = block.products.numpy()
    return of_matrix(products, epsilon=epsilon) if block.is_exact else of_probes(products)


def _row(block: BlockMap, found: LocalMap) -> dict[str, Any]:
    values = np.full(N_VALUES + 1, np.nan)
    known = found.singular_values
    values[: min(N_VALUES, len(known))] = known[:N_VALUES]
    values[N_VALUES] = known[-1] if len(known) else np.nan
    return {
        "layer": block.layer,
        "width": block.width,
        "method": EXACT if block.is_exact else PROBES,
        "n_products": len(block.products),
        "frobenius_norm": found.frobenius_norm,
        "frobenius_standard_error": found.frobenius_standard_error,
        "rms_gain": found.frobenius_norm / np.sqrt(block.width),
        **{f"singular_value_{rank}": values[rank - 1] for rank in range(1, N_VALUES + 1)},
        "smallest_singular_value": values[N_VALUES],
        "effective_rank": found.effective_rank,
        "log_abs_det_nats": found.log_abs_det_nats,
        "mean_log_gain_nats": found.log_abs_det_nats / block.width,
        "status": found.status,
    }
