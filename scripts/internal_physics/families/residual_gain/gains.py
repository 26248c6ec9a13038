"""Rule gains: residual-gain rows of all models → the table `gains`, one row per prompt and variant."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from internal_physics.families.residual_gain.variants import VARIANTS
from internal_physics.families.residual_gain.verdicts import NOT_GIVEN
from internal_physics.families.run.notes import of_prompts
from internal_physics.families.run.tables import PROMPTS_READ
from internal_physics.ground.status import OK, join_status
from internal_physics.tables.keys import PROMPT_KEY, PROMPT_OF_MODEL_KEY
from internal_physics.tables.read import read_table
from internal_physics.tables.rows import read_metrics


def collect_gains(paths: Iterable[str], prompts: str | Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """Chunks of the table, one per model and condition, in the order of their metric files.

    Args:
        paths: of the metric files, …/{model}/{condition}.parquet.
        prompts: Parquet file of table `prompts_read`.
    """
    for path in paths:
        own = [("model", "=", Path(path).parts[-2])]
        notes = read_table(prompts, PROMPTS_READ, own, [*PROMPT_OF_MODEL_KEY, "kind", "difficulty"])
        yield "gains", gains_table(read_metrics([path], pc.field("layer").is_null()), notes)


def gains_table(rows: pd.DataFrame, prompts: pd.DataFrame) -> pd.DataFrame:
    """One row per model, condition, prompt and variant.

    Args:
        rows: of the metric residual_gain, columns of tables.measure.
        prompts: table `prompts_read`, of which kind and difficulty are taken, missing where the prompt has none.

    Returns:
        Table `gains`, in the order of the rows. `status` joins those of the numbers in the row.

    Raises:
        StoreError: for a prompt that `prompts` does not name.
    """
    of_prompt = rows[rows["layer"].isna() & rows["rank"].isna()]
    order = of_prompt[PROMPT_KEY].drop_duplicates()
    values = of_prompt.pivot(index=PROMPT_KEY, columns="quantity", values="value")
    status = of_prompt.pivot(index=PROMPT_KEY, columns="quantity", values="status")
    index = pd.MultiIndex.from_frame(order)
    best = rows[(rows["quantity"] == "top_token") & (rows["rank"] == 1)].set_index(PROMPT_KEY).reindex(index)
    notes = of_prompts(order, prompts, ["kind", "difficulty"])
    shared = order.assign(
        kind=notes["kind"].fillna(NOT_GIVEN).to_numpy(),
        difficulty=notes["difficulty"].fillna(NOT_GIVEN).to_numpy(),
        entropy_nats=values.loc[index, "next_token_entropy_nats"].to_numpy(),
        top_token=best["text"].fillna("").to_numpy(),
        top_token_probability=best["value"].to_numpy(dtype=float),
    )
    parts = [_variant(shared, values.loc[index], status.loc[index], variant) for variant in VARIANTS]
    table = pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)
    return table


def _variant(shared: pd.DataFrame, values: pd.DataFrame, status: pd.DataFrame, variant: str) -> pd.DataFrame:
    last_gain = values[f"last_gain_{variant}"].to_numpy()
    used = [f"last_gain_{variant}", f"log_cumulative_gain_{variant}", "next_token_entropy_nats"]
    known = np.isfinite(last_gain)
    return shared.assign(
        variant=variant,
        last_gain=last_gain,
        log_cumulative_gain=values[f"log_cumulative_gain_{variant}"].to_numpy(),
        expands=pd.array(np.where(known, last_gain > 1, None), dtype="boolean"),
        status=[join_status(*found) or OK for found in status[used].itertuples(index=False)],
    )
