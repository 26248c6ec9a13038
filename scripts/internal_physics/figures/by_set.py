"""One figure for each prompt set."""

from collections.abc import Callable, Sequence

import pandas as pd
from matplotlib.figure import Figure

from internal_physics.figures.draw import Figures
from internal_physics.tables.read import TableBySet


def by_set(
    draw: Callable[..., Figure], table: pd.DataFrame | TableBySet, models: Sequence[str], prompt_sets: Sequence[str]
) -> Figures:
    """Draw each prompt set, reading a table on disk one set at a time.

    A figure shows the models that ran its prompt set: a masked model has no place among causal ones.

    Yields:
        The name of the prompt set and `draw(rows, prompt_set, models=...)`.
    """
    for prompt_set in prompt_sets:
        shown = _ran(table if isinstance(table, pd.DataFrame) else table.places, prompt_set, models)
        rows = table if isinstance(table, pd.DataFrame) else table.of_set(prompt_set)
        rows = rows if len(shown) == len(models) else rows[rows["model"].isin(shown)]
        yield prompt_set, draw(rows, prompt_set, models=shown)


def _ran(table: pd.DataFrame, prompt_set: str, models: Sequence[str]) -> list[str]:
    """The models without those that have rows for other prompt sets only."""
    elsewhere = set(table["model"]) - set(table.loc[table["prompt_set"] == prompt_set, "model"])
    return [model for model in models if model not in elsewhere]
