"""Table training: what other tables say about checkpoints, along the steps of their training."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from internal_physics.families.information.tables import DECIDED_MEANS
from internal_physics.families.residual_gain.tables import GAINS
from internal_physics.families.run.tables import MODELS
from internal_physics.families.scores.tables import PROMPTS, SCORES
from internal_physics.families.training.checkpoints import of_checkpoints, plateaus
from internal_physics.families.training.tables import LOSS
from internal_physics.ground.names import BASELINE
from internal_physics.ground.status import OK
from internal_physics.tables.read import read_table

UNDEFINED = "no prompt has a finite value"
_OF_SET = ["model", "prompt_set"]
_COLUMNS = ["quantity", "unit", "value", "ci_low", "ci_high", "n_prompts", "status"]
# Means over prompts: table → column → quantity and unit.
MEANS = {
    "prompts": {"loss_nats": (LOSS, "nats per predicted token")},
    "gains": {
        "entropy_nats": ("prediction_entropy_nats", "nats"),
        "last_gain": ("last_gain", "1"),
        "log_cumulative_gain": ("log_cumulative_gain", "nats"),
    },
}
DECIDED = {"settled_depth": "share of depth", "final_probability": "1"}  # quantities of table `decided_means`
READ = (SCORES, PROMPTS, GAINS, DECIDED_MEANS)


def along_training(tables: Mapping[str, pd.DataFrame], models: pd.DataFrame, penalty: float) -> pd.DataFrame:
    """The rows of table `training`: every quantity of every checkpoint in the baseline.

    Args:
        tables: those of READ that the run has, by name.
        models: table `models`; models without a parent are left out.
        penalty: what a change point must save, see `thermodynamics.change_points`.
    """
    rows = pd.concat([_baseline(rows) for rows in _all_rows(tables)], ignore_index=True)
    found = of_checkpoints(rows, models).sort_values(["parent", "prompt_set", "quantity", "step"], ignore_index=True)
    series = found.groupby(["parent", "prompt_set", "quantity"], sort=False)["value"]
    return found.assign(begins_plateau=series.transform(lambda values: plateaus(values, penalty)).astype("boolean"))


def read_tables(files: Mapping[str, str]) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """The tables that there are, by name, and table `models`.

    Args:
        files: path of `models`, and of those of READ that the run has.

    Raises:
        StoreError: naming a file that cannot be read.
    """
    tables = {table.name: read_table(files[table.name], table) for table in READ if table.name in files}
    return tables, read_table(files["models"], MODELS)


def _all_rows(tables: Mapping[str, pd.DataFrame]) -> Iterator[pd.DataFrame]:
    if "scores" in tables:
        yield tables["scores"].rename(columns={"metric": "quantity"})
    for name, columns in MEANS.items():
        if name in tables:
            rows = tables[name]
            rows = rows[rows["variant"] == "whole"] if name == "gains" else rows
            for column, (quantity, unit) in columns.items():
                yield _means(rows, column).assign(quantity=quantity, unit=unit)
    if "decided_means" in tables:
        rows = tables["decided_means"]
        chosen = rows[
            (rows["kind"] == "all kinds") & (rows["followed"] == "own token") & rows["quantity"].isin(DECIDED)
        ]
        yield chosen.rename(columns={"mean": "value"}).assign(unit=chosen["quantity"].map(DECIDED))


def _means(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Mean over the finite values of each prompt set."""
    finite = rows[column].where(np.isfinite(rows[column].astype("float64")))
    by_set = rows.assign(finite=finite).groupby([*_OF_SET, "condition"], sort=False)["finite"]
    found = by_set.agg(value="mean", n_prompts="count").reset_index()
    return found.assign(
        ci_low=np.nan, ci_high=np.nan, status=np.where(found["n_prompts"] > 0, OK, UNDEFINED).astype(object)
    )


def _baseline(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.loc[rows["condition"] == BASELINE, [*_OF_SET, *_COLUMNS]]
