"""Columns of table `prompts_read` for the prompts of another table's rows."""

from collections.abc import Sequence

import pandas as pd

from internal_physics.ground.errors import StoreError
from internal_physics.tables.keys import PROMPT_OF_MODEL_KEY


def of_prompts(rows: pd.DataFrame, prompts: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The columns of `prompts` for the prompt of each row, with the rows' index.

    Args:
        rows: with model, prompt_set and prompt.
        prompts: table `prompts_read`, or some of its columns and rows.
        columns: which of them.

    Raises:
        StoreError: for a prompt that `prompts` does not have.
    """
    wanted = pd.MultiIndex.from_frame(rows[PROMPT_OF_MODEL_KEY])
    known = prompts.set_index(PROMPT_OF_MODEL_KEY)
    if len(unknown := wanted.difference(known.index)):
        raise StoreError(
            f"{' / '.join(unknown[0])} is not in table prompts_read", todo="delete results/prompts_read and run again"
        )
    return known.loc[wanted, list(columns)].set_index(rows.index)
