"""What check_tables asks of the tables of the weights: ranges, what is finite, what no two rows share."""

import numpy as np
import pandas as pd
import pandera.pandas as pa

from internal_physics.families.thermodynamics.depth import DERIVED
from internal_physics.ground.status import OK

_AT_LEAST_ZERO, _SHARE, _LAYER = pa.Check.ge(0), pa.Check.in_range(0, 1), pa.Check.ge(-1)
_AT_LEAST_ONE = pa.Check.ge(1 - 1e-9)  # a rank of 1 may fall short by rounding
_PLACE = ["model", "condition", "prompt_set"]

RANGES: dict[str, dict[str, pa.Check]] = {
    "spectra": dict.fromkeys(["weight_norm", "largest_singular_value", "error_bound", "n_tail"], _AT_LEAST_ZERO)
    | dict.fromkeys(["stable_rank", "effective_rank", "alpha"], _AT_LEAST_ONE)
    | {"layer": _LAYER, "tail_distance": _SHARE},
    "thermodynamics": {"layer": _LAYER}
    | dict.fromkeys(["weight_norm", "gradient_norm", "temperature", "entropy_nats", "energy"], _AT_LEAST_ZERO),
    "thermodynamics_means": {"layer": _LAYER, "n_prompts": _AT_LEAST_ZERO},
    "phases": {"share": _SHARE, "expected_share": _SHARE, "n_prompts": pa.Check.ge(1)},
    "phase_counts": {"observed": _AT_LEAST_ZERO, "expected": _AT_LEAST_ZERO, "p_value": _SHARE},
}
UNIQUE = {
    "spectra": ["model", "parameter"],
    "thermodynamics": [*_PLACE, "prompt", "parameter"],
    "thermodynamics_means": [*_PLACE, "parameter", "quantity"],
    "phases": [*_PLACE, "parameter", "phase"],
    "phase_counts": [*_PLACE, "kind", "phase"],
}
FINITE = {
    "spectra": ["weight_norm", "largest_singular_value", "stable_rank", "effective_rank", "error_bound"],
    "thermodynamics": ["weight_norm", "gradient_norm", "temperature", "entropy_nats", "energy", "free_energy"],
    "thermodynamics_means": ["mean", "ci_low", "ci_high"],
    "phases": ["share", "expected_share"],
    "phase_counts": ["observed", "expected", "p_value"],
}
# Columns that a status of their own judges.
_FINITE_UNDER = {
    "spectra": ("tail_status", ["alpha", "tail_minimum", "tail_distance"]),
    "thermodynamics": ("derivative_status", list(DERIVED)),
}


def problems_under_own_status(name: str, table: pd.DataFrame) -> list[str]:
    """Values that are not finite beside a second status that claims to be ok."""
    if name not in _FINITE_UNDER:
        return []
    status, columns = _FINITE_UNDER[name]
    ok = table.loc[table[status] == OK, columns]
    return [
        f"{column}: not finite in a row with {status} ok" for column in columns if not np.isfinite(ok[column]).all()
    ]
