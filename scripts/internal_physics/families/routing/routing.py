"""Table routing: per prompt and block, from the rows of the metric routing."""

import pandas as pd

from internal_physics.families.routing.tables import ROUTING as TABLE
from internal_physics.ground.status import OK
from internal_physics.tables.keys import PROMPT_KEY

__all__ = ["TABLE", "rows"]

_TOP = 4
_KEYS = [*PROMPT_KEY, "layer", "experts"]
_WHOLE = {"n_experts": "int64", "n_chosen": "int64", "n_used": "int64"}


def rows(metric_rows: pd.DataFrame) -> pd.DataFrame:
    """One row per prompt and module of experts, in the order of the metric's rows."""
    named = metric_rows.rename(columns={"text": "experts"})
    of_blocks, of_experts = named[named["rank"].isna()], named[named["quantity"] == "load"]
    if of_blocks.empty:
        return pd.DataFrame(columns=list(TABLE.columns))
    values = of_blocks.pivot(index=_KEYS, columns="quantity", values="value").astype(_WHOLE)
    flagged = of_blocks[of_blocks["status"] != OK].drop_duplicates(_KEYS).set_index(_KEYS)["status"]
    table = of_blocks.drop_duplicates(_KEYS)[_KEYS].join(values, on=_KEYS).join(_top(of_experts), on=_KEYS)
    return table.join(flagged, on=_KEYS).fillna({"status": OK}).reset_index(drop=True)


def _top(loads: pd.DataFrame) -> pd.DataFrame:
    """The experts with the highest load of each prompt and block that have any, and their share together."""
    used = loads[loads["value"] > 0].sort_values("value", ascending=False, kind="stable")
    first = used.groupby(_KEYS, sort=False).head(_TOP).assign(name=lambda t: t["rank"].astype(str))
    groups = first.groupby(_KEYS, sort=False)
    return pd.DataFrame({"top_experts": groups["name"].agg(", ".join), "top_load": groups["value"].sum()})
