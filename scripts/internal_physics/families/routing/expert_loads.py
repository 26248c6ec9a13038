"""Table expert_loads: load of each expert, means over the prompts of a set, from the rows of the metric routing."""

import numpy as np
import pandas as pd

from internal_physics.families.routing.tables import EXPERT_LOADS as TABLE
from internal_physics.ground.status import OK
from internal_physics.ground.words import plural
from internal_physics.tables.keys import SET_KEY

__all__ = ["TABLE", "rows"]

_KEYS = [*SET_KEY, "layer", "experts", "expert"]


def rows(metric_rows: pd.DataFrame) -> pd.DataFrame:
    """One row per prompt set and expert, in the order of the metric's rows; prompts without finite scores are left out
    of the mean probability, which the status says.
    """
    named = metric_rows.rename(columns={"text": "experts", "rank": "expert"})
    of_experts = named[named["expert"].notna()]
    if of_experts.empty:
        return pd.DataFrame(columns=list(TABLE.columns))
    loads, chances = (of_experts[of_experts["quantity"] == name] for name in ("load", "probability"))
    groups = loads.groupby(_KEYS, sort=False)["value"]
    table = groups.agg(load="mean", n_reached=lambda values: int((values > 0).sum()), n_prompts="size")
    table["probability"] = chances.groupby(_KEYS, sort=False)["value"].mean()
    finite = chances.groupby(_KEYS, sort=False)["value"].agg(lambda values: int(np.isfinite(values).sum()))
    missing = table["n_prompts"] - finite
    table["status"] = [f"{plural(n, 'prompt')} without finite scores of the router" if n else OK for n in missing]
    table = table.reset_index()
    return table.assign(n_experts=table.groupby([*SET_KEY, "layer", "experts"])["expert"].transform("size"))
