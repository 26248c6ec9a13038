"""Table isf_spectra: eigenvalue and fitted power law by rank, from the rows of the metric isf."""

import pandas as pd

from internal_physics.families.gradient_flow.tables import ISF_SPECTRA as TABLE
from internal_physics.tables.keys import SET_KEY

__all__ = ["TABLE", "rows"]


def rows(metric_rows: pd.DataFrame) -> pd.DataFrame:
    """One row per model, condition, prompt set and rank, in the order of the metric's rows."""
    spectra = metric_rows[metric_rows["rank"].notna()]
    keys = [*SET_KEY, "rank"]
    values = spectra.pivot(index=keys, columns="quantity", values="value").reindex(columns=["eigenvalue", "fitted"])
    order = spectra.drop_duplicates(keys)[[*keys, "status"]]
    return order.join(values, on=keys).reset_index(drop=True)
