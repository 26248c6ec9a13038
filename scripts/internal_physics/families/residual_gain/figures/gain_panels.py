"""Residual gain against uncertainty, one model: every prompt a point, every variant of the norm a panel."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from internal_physics.families.residual_gain.sentences import RULES, VARIANT_NAMES, variant_title, variants_sentence
from internal_physics.families.residual_gain.tables import GAINS, HYPOTHESES
from internal_physics.families.residual_gain.variants import VARIANTS
from internal_physics.families.scores.tables import LAYERS
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.selection import left_out_notes, require_columns, split
from internal_physics.figures.titles import in_condition
from internal_physics.ground.seeds import seed_of
from internal_physics.ground.words import plural
from internal_physics.statistics.bootstrap import mean_interval
from internal_physics.statistics.options import CONFIDENCE_LEVEL, N_RESAMPLES
from internal_physics.tables.keys import PROMPT_KEY
from internal_physics.tables.read import read_table
from internal_physics.tables.table import Table

NEUTRAL: dict[str, Any] = {"color": "#444444", "linestyle": (0, (4, 2)), "linewidth": 0.9, "zorder": 1}
LAST_GAIN = "last gain ‖residual[L]‖ / ‖residual[L−1]‖\n(dimensionless)".replace("−", style.MINUS)
ENTROPY = "next-token entropy (nats)"
MOST_TICKS = 4  # intervals between labels, which are long where the numbers hardly differ
LEGEND_COLUMNS = 4
_OF_KINDS = {"last_gain": LAST_GAIN, "entropy_nats": ENTROPY}  # the lower panels
_SPREAD = 0.28  # of the points of a kind around its line
_LOG_FROM_RATIO = 10.0


def rows_of(model: str, variant: str = "whole", condition: str = "baseline") -> dict[Table, list[tuple[str, str, str]]]:
    """Which rows of each table `draw` needs, as filters of Parquet's reader."""
    of_model = [("model", "=", model), ("condition", "=", condition)]
    return {
        GAINS: of_model,
        LAYERS: [*of_model, ("quantity", "=", f"residual_gain_{variant}")],
        HYPOTHESES: of_model,
    }


def figures(inputs: Inputs, *, models: Sequence[str], seed: int, statistics: Mapping[str, Any]) -> Figures:
    """One figure for each model, of whose rows no more are read than it shows."""
    for model in models:
        tables = {table.name: read_table(inputs[table.name], table, wanted) for table, wanted in rows_of(model).items()}
        yield model, draw(**tables, model=model, seed=seed, **statistics)


def draw(
    gains: pd.DataFrame,
    layers: pd.DataFrame,
    hypotheses: pd.DataFrame,
    model: str,
    *,
    variant: str = "whole",
    condition: str = "baseline",
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
    confidence_level: float = CONFIDENCE_LEVEL,
) -> Figure:
    """Draw gain along depth, last gain against entropy for every variant, and both of them by kind of prompt.

    Args:
        gains: table `gains`.
        layers: table `layers`, with the quantity residual_gain_{variant}.
        hypotheses: table `hypotheses`, for the verdicts.
        model: which model.
        variant: the norm of the panels along depth and by kind; against entropy, every norm has a panel.
        condition: which condition.
        seed: of the intervals of the two lower panels.
        n_resamples: of the same.
        confidence_level: of the same.

    Returns:
        A figure of six panels: mean gain of each block by kind with ±1 standard deviation over prompts; for every
        variant, each prompt's entropy and last gain with the least-squares line, titled with r, adjusted p and verdict;
        last gain and entropy by kind, prompts as points beside their mean and its bootstrap interval. A dashed line
        marks the gain 1, which neither shrinks nor grows. Prompts without a usable value are named beneath.

    Raises:
        ValueError: columns are missing, or the table has no rows of this model, variant and condition.
    """
    rows = _rows_of(gains, model, variant, condition)
    usable_rows, left_out = split(rows, ["last_gain", "entropy_nats"])
    usable = usable_rows[usable_rows["variant"] == variant]
    looks = style.model_styles(list(dict.fromkeys(rows["kind"])))
    draws = {"n_resamples": n_resamples, "confidence_level": confidence_level}
    seeds = {column: seed_of(seed, model, variant, column) for column in _OF_KINDS}
    with style.house_style():
        figure, axes = _axes(looks)
        _depth(axes[0, 0], _gains_by_layer(layers, usable, variant), looks)
        axes[0, 0].set_title(f"Gain along depth,\n{VARIANT_NAMES[variant]}", fontweight="bold")
        for ax, name in zip((axes[0, 1], *axes[1]), VARIANTS, strict=True):
            _scatter(ax, usable_rows[usable_rows["variant"] == name], looks)
            ax.set_title(variant_title(hypotheses, model, name, condition), fontweight="bold")
        for ax, (column, label) in zip(axes[2], _OF_KINDS.items(), strict=True):
            _by_kind(ax, usable, column, looks, {**draws, "seed": seeds[column]})
            ax.set_xlabel(label)
            ax.locator_params(axis="x", nbins=MOST_TICKS)
        axes[2, 0].set_title(f"Last gain by kind, {VARIANT_NAMES[variant]}", fontweight="bold")
        axes[2, 1].set_title("Uncertainty by kind", fontweight="bold")
        axes[2, 1].tick_params(labelleft=False)
        axes[2, 0].axvline(1.0, **NEUTRAL)
        title = f"{model}: residual gain against uncertainty ({plural(len(usable), 'prompt')}){in_condition(condition)}"
        verdicts = f"{variants_sentence(hypotheses, model, condition)} {RULES}"
        left_out = left_out.drop_duplicates([*PROMPT_KEY, "status"])  # once, not once for each variant
        return style.finish(figure, title, [_legend_note(confidence_level), verdicts, *left_out_notes(left_out)])


def _axes(looks: Mapping[str, style.ModelStyle]) -> tuple[Figure, np.ndarray]:
    """A figure with its legend on top, and the axes of its panels, [3, 2]."""
    legend_rows = -(-(len(looks) + 1) // LEGEND_COLUMNS)
    heights = [0.2 * legend_rows, 2.5, 2.5, 1.3 + 0.22 * len(looks)]
    figure = style.new_figure(style.PAGE_WIDTH_INCHES, sum(heights) + 1.1)
    grid = figure.add_gridspec(4, 2, height_ratios=heights)
    axes = np.array([[figure.add_subplot(grid[row, column]) for column in (0, 1)] for row in (1, 2, 3)])
    _legend(figure.add_subplot(grid[0, :]), looks)
    return figure, axes


def trend(x: np.ndarray, y: np.ndarray) -> tuple[float, float] | None:
    """Slope and intercept of the least-squares line; None where x does not vary."""
    if len(x) < 2 or np.ptp(x) == 0:
        return None
    slope, intercept = np.polyfit(x, y, 1)
    return float(slope), float(intercept)


def _rows_of(gains: pd.DataFrame, model: str, variant: str, condition: str) -> pd.DataFrame:
    require_columns(gains, [*PROMPT_KEY, "kind", "variant", "last_gain", "entropy_nats"])
    wanted = (gains["model"] == model) & (gains["condition"] == condition)
    if not (wanted & (gains["variant"] == variant)).any():
        raise ValueError(f"the table gains has no rows of {model}, {variant}, condition {condition}")
    return gains[wanted]


def _gains_by_layer(layers: pd.DataFrame, usable: pd.DataFrame, variant: str) -> pd.DataFrame:
    wanted = layers[(layers["quantity"] == f"residual_gain_{variant}") & (layers["status"] == "ok")]
    return wanted.merge(usable[[*PROMPT_KEY, "kind"]], on=PROMPT_KEY)


def _depth(ax: Axes, by_layer: pd.DataFrame, looks: Mapping[str, style.ModelStyle]) -> None:
    ax.set(xlabel="block l (0 = first)", ylabel="gain ‖residual[l+1]‖ / ‖residual[l]‖\n(dimensionless)")
    if by_layer.empty:
        style.empty_panel(ax)
        return
    for kind, look in looks.items():
        table = by_layer[by_layer["kind"] == kind].groupby("layer")["value"].agg(["mean", "std"])
        ax.plot(table.index, table["mean"], color=look.color, linestyle=look.linestyle, linewidth=1.3, gid="mean")
        low = (table["mean"] - table["std"]).clip(lower=by_layer["value"].min())
        ax.fill_between(table.index, low, table["mean"] + table["std"], color=look.color, alpha=0.15, linewidth=0)
    ax.axhline(1.0, **NEUTRAL)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    positive = by_layer.loc[by_layer["value"] > 0, "value"]
    if len(positive) and positive.max() > _LOG_FROM_RATIO * positive.min():
        ax.set_yscale("log")
        style.plain_log_labels(ax.yaxis)


def _scatter(ax: Axes, usable: pd.DataFrame, looks: Mapping[str, style.ModelStyle]) -> None:
    ax.set(xlabel=ENTROPY, ylabel=LAST_GAIN)
    ax.locator_params(axis="x", nbins=MOST_TICKS)
    if usable.empty:
        style.empty_panel(ax)
        return
    for kind, look in looks.items():
        rows = usable[usable["kind"] == kind]
        ax.plot(rows["entropy_nats"], rows["last_gain"], **_points(look), gid="prompts")
    ax.axhline(1.0, **NEUTRAL)
    x = usable["entropy_nats"].to_numpy()
    if found := trend(x, usable["last_gain"].to_numpy()):
        ends = np.array([x.min(), x.max()])
        ax.plot(ends, found[0] * ends + found[1], color="#222222", linewidth=1.2, gid="trend")


def _by_kind(
    ax: Axes, usable: pd.DataFrame, column: str, looks: Mapping[str, style.ModelStyle], draws: Mapping
) -> None:
    labels = []
    for place, (kind, look) in enumerate(looks.items()):
        values = usable.loc[usable["kind"] == kind, column].to_numpy()
        labels.append(f"{style.literal(kind)} (n = {len(values)})")
        ax.plot(values, place + 0.12 + _jitter(len(values)), **_points(look), gid="prompts")
        interval = mean_interval(values, **{**draws, "seed": seed_of(draws["seed"], kind)})
        ax.plot([interval.low, interval.high], [place - 0.3] * 2, color=look.color, linewidth=2, gid="interval")
        ax.plot([interval.value], [place - 0.3], color="#222222", marker="|", markersize=9, markeredgewidth=1.6)
    ax.set_yticks(range(len(labels)), labels=labels)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)


def _jitter(n: int) -> np.ndarray:
    """Offsets that keep neighbouring points apart, the same on every run: golden-ratio steps, [n]."""
    return (np.arange(n) * 0.618034 % 1.0 - 0.5) * _SPREAD


def _points(look: style.ModelStyle) -> dict:
    return {"color": look.color, "marker": look.marker, "linestyle": "none", "markersize": 3.5, "alpha": 0.65}


def _legend(ax: Axes, looks: Mapping[str, style.ModelStyle]) -> None:
    """The key to all panels, in a row of its own above them."""
    handles = [
        Line2D([], [], **look.line(), markersize=4, label=style.literal(kind), linewidth=1.3)
        for kind, look in looks.items()
    ]
    handles.append(Line2D([], [], label="gain 1", **NEUTRAL))
    ax.set_axis_off()
    options = {"borderpad": 0, "borderaxespad": 0, "columnspacing": 1.5}
    ax.legend(handles=handles, loc="center left", ncols=LEGEND_COLUMNS, **options).set_in_layout(False)


def _legend_note(confidence_level: float) -> str:
    return (
        "One point a prompt. Along depth: mean over the prompts of a kind, band ±1 standard deviation. Solid line: "
        "least squares over all prompts. By kind: tick and bar above the points are the mean and its "
        f"{100 * confidence_level:g} % bootstrap interval."
    )
