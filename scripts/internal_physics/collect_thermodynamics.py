"""Rule collect_thermodynamics: rows of single models → the tables spectra and thermodynamics."""

import pandas as pd

from internal_physics.errors import StoreError
from internal_physics.metrics.flags import FLAGS

_KEYS = ["model", "condition", "prompt_set", "prompt", "parameter"]


def spectra_table(weights: pd.DataFrame) -> pd.DataFrame:
    """One row per weight with what describes its spectrum; the singular values themselves stay in results/weights."""
    shape = weights["shape"].map(lambda sizes: "×".join(str(size) for size in sizes))
    largest = weights["singular_values"].map(lambda values: float(values[0]))
    return weights.drop(columns="singular_values").assign(shape=shape, largest_singular_value=largest)


def flagged_states(states: pd.DataFrame, flags: pd.DataFrame) -> pd.DataFrame:
    """States with their flags beside them; both have the same rows in the same order.

    Raises:
        StoreError: if they have not.
    """
    if not states[_KEYS].reset_index(drop=True).equals(flags[_KEYS].reset_index(drop=True)):
        raise StoreError(
            "the flags of rule phases do not belong to the states of rule thermodynamics",
            expected="the same weights and prompts in the same order",
            todo="delete results/phases and run again",
        )
    return states.assign(**{name: flags[name].to_numpy() for name in FLAGS})
