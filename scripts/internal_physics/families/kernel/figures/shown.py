"""Shared by the figures of kernels: which kernel of a model is shown, kinds of prompts in order, empty figures."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from internal_physics.figures import style
from internal_physics.figures.titles import in_condition
from internal_physics.ground.words import plural

NO_KIND = "no kind"
SOURCES = {"factors": "exact", "sketch": "from sketches"}


def of_model(table: pd.DataFrame, model: str, condition: str) -> pd.DataFrame:
    """The rows of one kernel of a model: the one with most prompts (rows); the exact one where both have as many."""
    rows = table[(table["model"] == model) & (table["condition"] == condition)]
    if rows.empty:
        return rows
    sizes = rows["source"].value_counts().reindex(list(SOURCES)).fillna(0)
    return rows[rows["source"] == sizes.idxmax()]


def same_kernel(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of another table on the kernel that `rows` are of."""
    keys = ["model", "condition", "source"]
    return table.merge(rows[keys].drop_duplicates(), on=keys)


def kinds_in_order(kinds: pd.Series) -> list[str]:
    """The kinds of prompts in the order of their first appearance; prompts without one are last."""
    named = list(dict.fromkeys(kinds.dropna()))
    return [*named, NO_KIND] if kinds.isna().any() else named


def about(rows: pd.DataFrame, n_prompts: int) -> str:
    """'smollm2 (102 prompts, exact)', with the condition unless it is the baseline."""
    first = rows.iloc[0]
    source = SOURCES[first["source"]]
    return f"{first['model']} ({plural(n_prompts, 'prompt')}, {source}){in_condition(first['condition'])}"


def empty(title: str, notes: Sequence[str] = ()) -> Figure:
    """A figure that says that there is no kernel."""
    figure = style.new_figure(0.65 * style.PAGE_WIDTH_INCHES, 1.5)
    ax = figure.add_subplot()
    style.empty_panel(ax, "no prompts with recorded weight gradients")
    ax.set(xticks=[], yticks=[])
    return style.finish(figure, title, notes)
