"""Watched tokens: how probable each is in the end, in the baseline and in every condition."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from internal_physics.families.comparison.figures import beside
from internal_physics.families.comparison.tables import COMPARISONS
from internal_physics.families.information.watched import WATCHED
from internal_physics.figures import style
from internal_physics.figures.by_set import by_set
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.selection import order_models, require_columns
from internal_physics.ground.words import plural
from internal_physics.statistics.options import CONFIDENCE_LEVEL
from internal_physics.tables.read import TableBySet

MAX_COLUMNS = 3
COLUMNS = ("model", "condition", "prompt_set", "quantity", "token", "layer", "measure", "baseline", "steered")
_ROW_INCHES, _LEGEND_INCHES, _SPREAD = 0.42, 0.35, 0.5
_ROOM = 3.0  # at the ends of the axis, as a factor
NOTE = (
    "Probability of the token right after the prompt (masked models: at the [MASK]), mean over prompts. Rings: "
    "baseline. Filled: steered, with the {interval} interval of the change over prompts (paired bootstrap), added to "
    "the baseline. An interval that does not reach the ring: the condition moves the token. An interval that includes "
    "0 runs to the left edge."
)


def figures(inputs: Inputs, *, models: Sequence[str], prompt_sets: Sequence[str]) -> Figures:
    """One figure for each prompt set."""
    return by_set(draw, TableBySet(inputs["comparisons"], COMPARISONS), models, prompt_sets)


def draw(
    comparisons: pd.DataFrame,
    prompt_set: str,
    *,
    models: Sequence[str] | None = None,
    confidence: float = CONFIDENCE_LEVEL,
) -> Figure:
    """Draw the final probability of every watched token: a panel per model, a row per token, a mark per condition.

    Args:
        comparisons: table `comparisons`, with rows of watched tokens along depth; the last layer is drawn.
        prompt_set: which prompt set.
        models: order of the models; those without a condition are left out.
        confidence: level of the table's intervals.

    Returns:
        A figure with a logarithmic axis of probability that all panels share.

    Raises:
        ValueError: columns are missing, or no token was watched on this set.
    """
    require_columns(comparisons, COLUMNS)
    rows = final_rows(comparisons[comparisons["prompt_set"] == prompt_set])
    if rows.empty:
        raise ValueError(f"no token was watched on prompt set {prompt_set!r}")
    shown = [model for model in order_models(comparisons["model"], models) if (rows["model"] == model).any()]
    tokens, looks = list(dict.fromkeys(rows["token"])), style.model_styles(list(dict.fromkeys(rows["condition"])))
    columns = min(MAX_COLUMNS, len(shown))
    n_rows = -(-len(shown) // columns)
    with style.house_style():
        width = style.PAGE_WIDTH_INCHES * (0.7 if columns == 1 else 1.0)
        panel_inches = _ROW_INCHES * len(tokens) + 0.9
        figure = style.new_figure(width, n_rows * panel_inches + _LEGEND_INCHES)
        grid = figure.add_gridspec(1 + n_rows, columns, height_ratios=[_LEGEND_INCHES, *[panel_inches] * n_rows])
        axes = _panels(figure, grid, len(shown), columns)
        _dress(axes, rows, tokens)
        for ax, model in zip(axes, shown, strict=True):
            _panel(ax, rows[rows["model"] == model], tokens, looks)
            ax.set_title(style.wrap_name(model), fontweight="bold")
        _legend(figure.add_subplot(grid[0, :]), looks)
        n = plural(int(rows["n_prompts"].max()), "prompt")
        note = NOTE.format(interval=f"{100 * confidence:g} %")
        return style.finish(figure, f"Watched tokens on {prompt_set} ({n})", [note])


def _panels(figure: Figure, grid: GridSpec, n: int, columns: int) -> list[Axes]:
    """Axes below the legend that share both axes."""
    first = figure.add_subplot(grid[1, 0])
    others = [divmod(i, columns) for i in range(1, n)]
    return [first, *(figure.add_subplot(grid[1 + r, c], sharex=first, sharey=first) for r, c in others)]


def _legend(ax: Axes, looks: Mapping[str, style.ModelStyle]) -> None:
    ax.set_axis_off()
    handles = [ax.plot([], [], linestyle="none", label="baseline", **_RING)[0]]
    handles += [ax.plot([], [], label=name, **_filled(look))[0] for name, look in looks.items()]
    ax.legend(handles=handles, loc="center left", ncols=beside.LEGEND_COLUMNS)


def final_rows(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Differences of watched tokens at each model's last layer."""
    found = comparisons[(comparisons["quantity"] == WATCHED) & (comparisons["measure"] == "difference")]
    last = found.groupby("model")["layer"].transform("max")
    return found[found["layer"] == last]


_RING: dict[str, Any] = {"marker": "o", "markersize": 7, "markerfacecolor": "none", "markeredgecolor": "#444444"}


def _filled(look: style.ModelStyle) -> dict:
    return {"color": look.color, "marker": look.marker, "markersize": 5, "linewidth": 1.6}


def _panel(ax: Axes, rows: pd.DataFrame, tokens: Sequence[str], looks: Mapping[str, style.ModelStyle]) -> None:
    steps = max(1, len(looks) - 1)
    for c, (condition, look) in enumerate(looks.items()):
        own = rows[rows["condition"] == condition].set_index("token").reindex(tokens)
        y = pd.Series(range(len(tokens)), index=tokens) + _SPREAD * (c / steps - 0.5) * (len(looks) > 1)
        low, high = (own["baseline"] + own[end] for end in ("ci_low", "ci_high"))
        ax.hlines(y, low.clip(lower=ax.get_xlim()[0]), high, color=look.color, linewidth=1.6, gid="interval")
        ax.plot(own["steered"], y, **(_filled(look) | {"linestyle": "none"}), gid=f"steered {condition}")
        ax.plot(own["baseline"], y, linestyle="none", **_RING, gid="baseline")


def _dress(axes: Sequence[Axes], rows: pd.DataFrame, tokens: Sequence[str]) -> None:
    values = rows[["baseline", "steered"]].to_numpy(dtype=float)
    values = values[values > 0]
    for ax in axes:
        ax.set_xlabel("probability (log)")
    axes[0].set_xscale("log")
    axes[0].set_xlim(values.min() / _ROOM, min(1.0, values.max() * _ROOM))
    axes[0].set_yticks(range(len(tokens)), [style.literal(f'"{token}"') for token in tokens])
    axes[0].set_ylim(len(tokens) - 0.5, -0.5)
