"""Mean last gain of every model on every kind of prompt: who contracts where, by each of the three norms."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from internal_physics.families.residual_gain.sentences import summary_over_models
from internal_physics.families.residual_gain.tables import HYPOTHESES
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.heatmaps import draw_ground
from internal_physics.figures.selection import order_models, require_columns
from internal_physics.figures.titles import in_condition
from internal_physics.tables.read import read_table

POSITIONS = {
    "whole": "Norm over all positions (whole stream)",
    "last_position": "Norm of the last position",
    "excluding_first": "Norm over all positions but the first",
}
COLORMAP = "PuOr_r"
DAGGER = "†"
_LUMINANCE = (0.2126, 0.7152, 0.0722)  # of red, green, blue (Rec. 709)
_DARK_BELOW = 0.5  # luminance of a cell that needs white letters
_LEAST_REACH = 1.05  # of the color scale, so that equal values do not look like opposites


def figures(inputs: Inputs, *, models: Sequence[str]) -> Figures:
    """One figure of the run."""
    yield "", draw(read_table(inputs["hypotheses"], HYPOTHESES), models=models)


def draw(hypotheses: pd.DataFrame, condition: str = "baseline", *, models: Sequence[str] | None = None) -> Figure:
    """Draw the mean last gain as a heatmap model × kind, one panel for each variant of the norm, on one color scale.

    Args:
        hypotheses: table `hypotheses`; the rows of "contraction" are drawn.
        condition: which condition.
        models: order of the rows; by name when not given.

    Returns:
        A figure whose colors diverge about 1 on a logarithmic scale; each cell has its number, with a dagger where its
        status is not ok (as of a kind with one prompt). Kinds without prompts are hatched grey.

    Raises:
        ValueError: columns are missing, or the table has no such condition.
    """
    require_columns(hypotheses, ["model", "condition", "variant", "hypothesis", "x", "value", "n", "status"])
    rows = hypotheses[(hypotheses["hypothesis"] == "contraction") & (hypotheses["condition"] == condition)]
    if rows.empty:
        raise ValueError(f"the table hypotheses has no contraction rows of the condition {condition!r}")
    names = order_models(rows["model"], models)
    kinds = list(dict.fromkeys(rows["x"]))
    reach = _reach(rows["value"].to_numpy())
    norm = LogNorm(1 / reach, reach)
    with style.house_style():
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 3 * (0.45 + 0.25 * len(names)) + 0.5)
        axes = figure.subplots(3, 1, sharex=True)
        for ax, (variant, label) in zip(axes, POSITIONS.items(), strict=True):
            _panel(ax, rows[rows["variant"] == variant], names, kinds, norm)
            ax.set_title(label)
        axes[-1].set_xticks(range(len(kinds)), labels=[_kind_label(rows, kind) for kind in kinds])
        bar = figure.colorbar(ScalarMappable(norm, COLORMAP), ax=axes, pad=0.01, fraction=0.05, aspect=30)
        bar.set_label("mean last gain (dimensionless)")
        bar.ax.minorticks_off()
        ticks = [1 / reach, 1 / np.sqrt(reach), 1.0, np.sqrt(reach), reach]
        bar.set_ticks(ticks, labels=[f"{tick:.2f}" for tick in ticks])
        title = f"Mean last gain by model and kind of prompt{in_condition(condition)}"
        return style.finish(figure, title, _notes(rows, hypotheses, condition))


def _reach(values: np.ndarray) -> float:
    """The factor by which the scale reaches above and below 1."""
    usable = values[np.isfinite(values) & (values > 0)]
    return float(np.exp(np.abs(np.log(usable)).max(initial=np.log(_LEAST_REACH))))


def _panel(ax: Axes, rows: pd.DataFrame, models: Sequence[str], kinds: Sequence[str], norm: LogNorm) -> None:
    draw_ground(ax, len(models), len(kinds))
    colors = ScalarMappable(norm, COLORMAP)
    for row in rows.itertuples():
        if not (np.isfinite(row.value) and row.value > 0):
            continue
        column, line = kinds.index(row.x), models.index(row.model)
        face = colors.to_rgba(row.value)
        ax.add_patch(Rectangle((column - 0.5, line - 0.5), 1, 1, facecolor=face, edgecolor="white", linewidth=1.5))
        is_dark = float(np.dot(face[:3], _LUMINANCE)) < _DARK_BELOW
        text = f"{row.value:.2f}{'' if row.status == 'ok' else DAGGER}"
        ax.text(column, line, text, ha="center", va="center", color="white" if is_dark else "#222222", gid="cell")
    ax.set(xlim=(-0.5, len(kinds) - 0.5), ylim=(len(models) - 0.5, -0.5))
    ax.set_yticks(range(len(models)), labels=[style.wrap_name(model, 26) for model in models])
    ax.tick_params(length=0)


def _kind_label(rows: pd.DataFrame, kind: str) -> str:
    n = rows.loc[rows["x"] == kind, "n"]
    size = f"{n.min()}" if n.min() == n.max() else f"{n.min()} to {n.max()}"
    return f"{style.wrap_name(kind, 14)}\n(n = {size})"


def _notes(rows: pd.DataFrame, hypotheses: pd.DataFrame, condition: str) -> list[str]:
    notes = ["Below 1 (purple) the last block shrinks the residual stream, above 1 (orange) it grows it."]
    finite = np.isfinite(rows["value"])
    flagged = rows[(rows["status"] != "ok") & finite].drop_duplicates(["x", "status"])
    if len(flagged):
        reasons = "; ".join(f"{row.x} ({row.status})" for row in flagged.itertuples())
        notes.append(f"{DAGGER} Read with care: {reasons}.")
    if not finite.all():
        missing = rows[~finite].drop_duplicates(["x", "status"])
        notes.append(f"Hatched grey: {'; '.join(row.status for row in missing.itertuples())}.")
    return [*notes, f"Does uncertainty drive the last gain? {summary_over_models(hypotheses, condition)}"]
