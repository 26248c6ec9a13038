"""Table drift_turns: where the residual stream of a prompt turns away from its embedding.

family.py imports this module, so pandas stays out of it.
"""

from typing import TYPE_CHECKING

from internal_physics.ground.status import OK
from internal_physics.tables.columns import OF_PROMPT, STATUS, Column
from internal_physics.tables.keys import PROMPT_KEY
from internal_physics.tables.table import Table

if TYPE_CHECKING:
    import pandas as pd

TURNED_BELOW = 0.5  # cosine

TABLE = Table(
    "drift_turns",
    columns=OF_PROMPT
    | {
        "turn_layer": Column("Int64", "residual", "first l whose cosine with residual[0] is below 0.5; empty if none"),
        "smallest_cosine": Column("float64", "1", "smallest cosine along depth", low=-1, high=1),
        "status": STATUS,
    },
    key=PROMPT_KEY,
    finite=("smallest_cosine",),
    members=("prompt",),
)


def rows(metric_rows: "pd.DataFrame") -> "pd.DataFrame":
    """One row per prompt, from the rows of the metric drift (columns of tables.measure)."""
    cosines = metric_rows[metric_rows["quantity"] == "embedding_cosine"]
    by_prompt = cosines.groupby(PROMPT_KEY, sort=False)
    turned = cosines[cosines["value"] < TURNED_BELOW].groupby(PROMPT_KEY)["layer"].min()
    found = by_prompt["value"].min().rename("smallest_cosine").to_frame()
    is_ok = by_prompt["status"].agg(lambda statuses: (statuses == OK).all())
    return found.assign(turn_layer=turned, status=is_ok.map({True: OK, False: "a residual is zero"})).reset_index()
