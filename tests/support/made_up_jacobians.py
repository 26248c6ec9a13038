"""Table `jacobians` of random maps, and of one that has no number."""

import numpy as np
import pandas as pd
from internal_physics.families.jacobian.local_map import of_matrix
from internal_physics.families.jacobian.tables import EXACT, JACOBIANS, N_VALUES
from internal_physics.tables.conform import conform
from internal_physics.tables.keys import PROMPT_KEY

WIDTH = 6


def make_jacobians(n_layers=3):
    """Two prompts of one model; the last map of the second is not finite."""
    rng = np.random.default_rng(0)
    maps = {(prompt, layer): rng.normal(size=(WIDTH, WIDTH)) for prompt in "ab" for layer in range(n_layers)}
    maps["b", n_layers - 1][0, 0] = np.nan
    rows = [row_of(prompt, layer, matrix) for (prompt, layer), matrix in maps.items()]
    return {"jacobians": conform(pd.DataFrame(rows), JACOBIANS)}


def row_of(prompt, layer, matrix):
    found = of_matrix(matrix)
    values = [*found.singular_values, *[np.nan] * WIDTH][:WIDTH]
    return {
        **dict(zip(PROMPT_KEY, ("m", "baseline", "s", prompt), strict=True)),
        **{"layer": layer, "width": WIDTH, "method": EXACT, "n_products": WIDTH},
        "frobenius_norm": found.frobenius_norm,
        "frobenius_standard_error": 0.0 if found.status == "ok" else np.nan,
        "rms_gain": found.frobenius_norm / np.sqrt(WIDTH),
        **{f"singular_value_{rank}": values[rank - 1] for rank in range(1, N_VALUES + 1)},
        "smallest_singular_value": values[-1],
        "effective_rank": found.effective_rank,
        "log_abs_det_nats": found.log_abs_det_nats,
        "mean_log_gain_nats": found.log_abs_det_nats / WIDTH,
        "status": found.status,
    }
