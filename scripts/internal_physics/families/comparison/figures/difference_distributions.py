"""Difference distributions: what a condition changes in each prompt, for every per-prompt number."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from internal_physics.families.comparison.figures import beside
from internal_physics.families.scores.tables import PROMPTS
from internal_physics.figures import style
from internal_physics.figures.by_set import by_set
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.selection import order_models, require_columns
from internal_physics.ground.names import BASELINE
from internal_physics.ground.words import plural
from internal_physics.tables.read import TableBySet

NUMBERS = ("ec", "isc", "isg", "isa", "loss_nats")
COLUMNS = 2
KEYS = ["model", "condition", "prompt"]


def figures(inputs: Inputs, *, models: Sequence[str], prompt_sets: Sequence[str]) -> Figures:
    """One figure for each prompt set."""
    return by_set(draw, TableBySet(inputs["prompts"], PROMPTS), models, prompt_sets)


def draw(prompts: pd.DataFrame, prompt_set: str, *, models: Sequence[str] | None = None) -> Figure:
    """Draw steered minus baseline of every prompt: a panel per number, a row of dots and a box per model and condition.

    Args:
        prompts: table `prompts`; metrics that were not computed are empty columns and get no panel.
        prompt_set: which prompt set.
        models: order of the models, which fixes their colors; by name when not given.

    Returns:
        A figure whose boxes span the quartiles with a line at the median; dots are prompts, moved apart at right angles
        only so that they can be seen. Differences that are not finite are left out and counted beneath.

    Raises:
        ValueError: columns are missing, or the set has no condition but the baseline.
    """
    require_columns(prompts, [*KEYS, "prompt_set", *NUMBERS])
    conditions = beside.steered_conditions(prompts, prompt_set)
    names = order_models(prompts["model"], models)
    table = differences(prompts[prompts["prompt_set"] == prompt_set])
    shown = [number for number in NUMBERS if table[number].notna().any()]
    places = [(c, m) for c in conditions for m in names if ((table.condition == c) & (table.model == m)).any()]
    with style.house_style():
        n_rows = -(-len(shown) // COLUMNS)
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, n_rows * (0.75 + 0.34 * len(places)))
        axes = figure.subplots(n_rows, COLUMNS, sharey=True, squeeze=False)
        looks = style.model_styles(names)
        for ax, number in zip(axes.flat, shown, strict=False):
            _panel(ax, table, number, places, looks)
        for ax in axes.flat[len(shown) :]:
            ax.set_axis_off()
        axes[0, 0].set_yticks(range(len(places)), [style.wrap_name(f"{c}, {m}", 24) for c, m in places])
        axes[0, 0].set_ylim(len(places) - 0.5, -0.5)
        n_prompts = plural(int(table["prompt"].nunique()), "prompt")
        title = f"What steering changes in each prompt of {prompt_set} ({n_prompts})"
        return style.finish(figure, title, [_NOTE, *_left_out(table, shown)])


_NOTE = (
    "Dots: steered minus baseline of one prompt each. Boxes: from the lower to the upper quartile, with a line at the "
    "median; whiskers reach the outermost prompts. Right of the grey line: larger than in the baseline."
)


def differences(prompts: pd.DataFrame) -> pd.DataFrame:
    """Steered minus baseline, one row per model, condition and prompt; NaN where one of the two is not finite."""
    baseline = prompts[prompts["condition"] == BASELINE].set_index(["model", "prompt"])[list(NUMBERS)]
    steered = prompts[prompts["condition"] != BASELINE].reset_index(drop=True)
    before = baseline.reindex(pd.MultiIndex.from_frame(steered[["model", "prompt"]]))
    change = steered[list(NUMBERS)].to_numpy(dtype=float) - before.to_numpy(dtype=float)
    change[~np.isfinite(change)] = np.nan
    return pd.concat([steered[KEYS], pd.DataFrame(change, columns=list(NUMBERS))], axis=1)


def _panel(
    ax: Axes,
    table: pd.DataFrame,
    number: str,
    places: Sequence[tuple[str, str]],
    looks: dict[str, style.ModelStyle],
) -> None:
    ax.axvline(0.0, color="#888888", linewidth=1.0, gid="zero")
    for y, (condition, model) in enumerate(places):
        own = table[(table["condition"] == condition) & (table["model"] == model)]
        values = own[number].dropna().to_numpy(dtype=float)
        if not len(values):
            continue
        color = looks[model].color
        box = ax.boxplot([values], positions=[y], orientation="horizontal", widths=0.6, showfliers=False, whis=(0, 100))
        for part in [*box["boxes"], *box["whiskers"], *box["caps"], *box["medians"]]:
            part.set(color=color, linewidth=1.8 if part in box["medians"] else 0.9)
        ax.scatter(values, y + _apart(len(values)), s=9, color=color, alpha=0.5, linewidths=0, gid="prompts", zorder=3)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=5))
    ax.set_xlabel(f"difference of {beside.label(number).replace(chr(10), ' ')}")


def _apart(n: int) -> np.ndarray:
    """Offsets in a fixed pattern, within ±0.2: the same table gives the same figure."""
    return 0.2 * np.sin(2.4 * np.arange(n))


def _left_out(table: pd.DataFrame, shown: Sequence[str]) -> list[str]:
    missing = {number: int(table[number].isna().sum()) for number in shown}
    named = [f"{plural(n, 'prompt')} without {number}" for number, n in missing.items() if n]
    return [f"Left out: {'; '.join(named)}."] if named else []
