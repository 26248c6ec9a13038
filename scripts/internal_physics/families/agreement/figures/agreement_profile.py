"""Agreement along depth: cosine and distance of residuals and their gradients, and agreement of the predictions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from internal_physics.families.agreement.figures.lines import between_rows, line_looks, reference_words
from internal_physics.families.agreement.tables import AGREEMENT_MEANS
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.scales import needs_log
from internal_physics.figures.selection import left_out_notes, require_columns, split
from internal_physics.ground.words import plural
from internal_physics.tables.read import TableBySet

PANELS = (
    ("residual_cosine", "gradient_cosine"),
    ("residual_distance", "gradient_distance"),
)
LABELS = {
    "residual_cosine": "cosine with the reference",
    "residual_distance": "distance, relative to\nthe reference's norm",
}
TITLES = {"residual_cosine": "residual", "gradient_cosine": "gradient of the residual"}
PREDICTIONS = {
    "best_token_agrees": "share of prompts with\nthe same best next token",
    "kl_nats": "KL(reference ‖ this)\nof the prediction (nats)",
}
NOTE = (
    "Each prompt's residual (or gradient) at a depth is one vector over all its tokens. Lines: mean over prompts. "
    "Bands and bars: intervals over prompts."
)
LOWER_BOUNDS = {"kl_nats": "kl_at_least_nats"}  # drawn where the exact number is missing
LOWER_BOUND_NOTE = "Open triangles (▷): the divergence is at least this large; without logits a record shows no more."
_COLUMNS = ("mean", "ci_low", "ci_high")


def figures(inputs: Inputs, *, models: Sequence[str], prompt_sets: Sequence[str], between: str) -> Figures:
    """One figure for each prompt set; between models, or between conditions of one model."""
    table = TableBySet(inputs["agreement_means"], AGREEMENT_MEANS)
    for name in prompt_sets:  # the reference has no rows of its own but is among the models
        yield name, draw(table.of_set(name), name, models=models, between=between)


def draw(
    agreement_means: pd.DataFrame, prompt_set: str, *, models: Sequence[str] | None = None, between: str = "models"
) -> Figure:
    """Draw how far models agree with the reference along depth: a panel per quantity, a line per model.

    Args:
        agreement_means: table `agreement_means`.
        prompt_set: which prompt set.
        models: order of the models, which fixes their looks; by name when not given.
        between: "models": every model in the baseline against its reference; "conditions": every steered condition
            against the baseline of the same model, a line per condition.

    Returns:
        A figure of four panels along depth (distances on a log axis where they span more than a factor of 30), and
        below, the agreement of the predictions with its intervals. Rows without a number are left out and named
        beneath. Where nothing is comparable, a single panel says so.

    Raises:
        ValueError: columns are missing.
    """
    require_columns(agreement_means, list(AGREEMENT_MEANS.columns))
    rows = between_rows(agreement_means, prompt_set, between)
    shown = rows[rows["quantity"].isin([*np.ravel(PANELS), *PREDICTIONS, *LOWER_BOUNDS.values()])]
    usable, left_out = split(shown, ["mean"], show_flagged=True)
    looks = line_looks(agreement_means, rows, models, between)
    with style.house_style():
        if usable.empty:
            return _empty(left_out, prompt_set, between)
        strip = 0.25 + 0.22 * max(len(looks), 1)
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 4.6 + strip + 0.5)
        grid = figure.add_gridspec(3, 2, height_ratios=[2.3, 2.3, strip + 0.5])
        for row, quantities in enumerate(PANELS):
            for column, quantity in enumerate(quantities):
                ax = figure.add_subplot(grid[row, column])
                _panel(ax, usable[usable["quantity"] == quantity], looks)
                _dress(ax, quantity, is_last=row == len(PANELS) - 1)
        for column, quantity in enumerate(PREDICTIONS):
            ax = figure.add_subplot(grid[2, column])
            _dots(ax, _or_bounds(usable, quantity), looks, labelled=column == 0)
            ax.set_xlabel(PREDICTIONS[quantity])
        bounds = [LOWER_BOUND_NOTE] if usable["quantity"].isin(LOWER_BOUNDS.values()).any() else []
        notes = [NOTE, *bounds, *left_out_notes(left_out, what="number", count_of="quantity")]
        return style.finish(figure, _title(usable, prompt_set, between), notes)


def _empty(left_out: pd.DataFrame, prompt_set: str, between: str) -> Figure:
    figure = style.new_figure(0.65 * style.PAGE_WIDTH_INCHES, 1.2)
    ax = figure.add_subplot()
    style.empty_panel(ax, f"no {between} of this prompt set can be compared")
    ax.set(xticks=[], yticks=[])
    notes = left_out_notes(left_out, what="number", count_of="quantity")
    return style.finish(figure, _title(left_out.iloc[:0], prompt_set, between), notes)


def _panel(ax: Axes, rows: pd.DataFrame, looks: Mapping[str, style.ModelStyle]) -> None:
    if rows.empty:
        style.empty_panel(ax, "nothing comparable")
        return
    for name, look in looks.items():
        own = rows[rows["line"] == name].sort_values("layer")
        if own.empty:
            continue
        layer, mean, low, high = (own[c].to_numpy(dtype=float) for c in ("layer", *_COLUMNS))
        ax.fill_between(layer, low, high, color=look.color, alpha=0.2, linewidth=0, gid="band")
        every = max(1, len(layer) // 8)
        ax.plot(layer, mean, **look.line(), linewidth=1.4, markersize=4, markevery=every, gid="mean")
    values = rows["mean"].to_numpy(dtype=float)
    if rows["quantity"].iat[0].endswith("distance") and (values > 0).all() and needs_log(values):
        ax.set_yscale("log")
        style.plain_log_labels(ax.yaxis)


def _dress(ax: Axes, quantity: str, *, is_last: bool) -> None:
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    if quantity in TITLES:
        ax.set_title(TITLES[quantity], fontweight="bold")
    if quantity in LABELS:
        ax.set_ylabel(LABELS[quantity])
    if is_last:
        ax.set_xlabel("residual l (0 = embedding)")


def _or_bounds(rows: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """The rows of a quantity, and for lines that have none those of its lower bound; column `is_bound` says which."""
    exact, bounds = (rows[rows["quantity"] == name] for name in (quantity, LOWER_BOUNDS.get(quantity)))
    bounds = bounds[~bounds["line"].isin(exact["line"])]
    return pd.concat([exact.assign(is_bound=False), bounds.assign(is_bound=True)])


def _dots(ax: Axes, rows: pd.DataFrame, looks: Mapping[str, style.ModelStyle], *, labelled: bool) -> None:
    """A dot with its interval for each line, from top to bottom; their names are the legend of the whole figure."""
    if rows.empty:
        style.empty_panel(ax, "nothing comparable")
        ax.set_yticks([])
        return
    for place, (name, look) in enumerate(looks.items()):
        for own in rows[rows["line"] == name].itertuples():
            ax.plot([own.ci_low, own.ci_high], [place, place], color=look.color, linewidth=1.4, gid="interval")
            marker, fill = (">", "none") if own.is_bound else (look.marker, look.color)
            dot: dict[str, Any] = {"marker": marker, "markerfacecolor": fill, "markersize": 5}
            ax.plot(own.mean, place, color=look.color, **dot, clip_on=False, gid="dot")  # whole, even at 0
    ax.set_ylim(len(looks) - 0.5, -0.5)
    names = [style.wrap_name(name, 40) for name in looks]
    ax.set_yticks(range(len(looks)), labels=names if labelled else [])
    for tick, look in zip(ax.get_yticklabels(), looks.values(), strict=True):
        tick.set_color(look.color)
    if rows["quantity"].iat[0] == "best_token_agrees":
        ax.set_xlim(-0.03, 1.03)
    else:
        ax.set_xlim(left=0)


def _title(rows: pd.DataFrame, prompt_set: str, between: str) -> str:
    n = "no prompts" if rows.empty else plural(int(rows["n_prompts"].max()), "prompt")
    return f"Agreement with {reference_words(rows, between)} on {prompt_set} ({n})"
