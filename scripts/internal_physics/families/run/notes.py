"""Columns of table `prompts_read` for the prompts of another table's rows."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from internal_physics.ground.errors import StoreError
from internal_physics.ground.names import MASK
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


def is_repeated(prompts: pd.DataFrame, same: Sequence[str] = ("text",)) -> NDArray[np.bool_]:
    """[N] whether an earlier prompt asks the same: it has these columns in common, and the answer where there is a gap.

    The answer of a text with a gap decides the loss and its gradients; that of another text does not.

    Args:
        prompts: with text, answer and the other columns.
        same: which columns have to agree.
    """
    has_gap = prompts["text"].str.contains(MASK, regex=False)
    keys = prompts[list(same)].assign(answer=prompts["answer"].where(has_gap))
    return keys.duplicated().to_numpy()
