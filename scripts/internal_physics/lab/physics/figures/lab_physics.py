"""Quantities of the physics along trainings of the lab, below what is known: a column per arm, a line per seed."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from internal_physics.families.training.figures.steps import scale_steps, scale_values
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.selection import require_columns
from internal_physics.ground.status import OK
from internal_physics.lab.physics.seen import TITLES
from internal_physics.lab.physics.tables import LAB_PHYSICS, LEARNED, LOSS, OTHER
from internal_physics.tables.read import read_table

TITLE = "The physics of models while they learn"
DOTTED: dict[str, Any] = {"linestyle": (0, (2, 2)), "linewidth": 0.9}


def figures(inputs: Inputs) -> Figures:
    """One figure of all trainings."""
    yield "", draw(read_table(inputs["lab_physics"], LAB_PHYSICS))


def draw(physics: pd.DataFrame) -> Figure:
    """Draw every quantity against the step; the interval in which most is learned is shaded, a band per seed.

    Args:
        physics: table lab_physics.
    """
    require_columns(physics, list(LAB_PHYSICS.columns))
    rows = physics[physics["status"] == OK]
    arms = list(rows["arm"].drop_duplicates())
    shown = [quantity for quantity in TITLES if (rows["quantity"] == quantity).any()]
    looks = style.model_styles([f"seed {seed}" for seed in sorted(rows["seed"].unique())])
    with style.house_style():
        if rows.empty:
            figure = style.new_figure(style.PAGE_WIDTH_INCHES, 1.5)
            style.empty_panel(figure.add_subplot(), "no checkpoints of a training of the lab")
            return style.finish(figure, TITLE)
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 1.2 * len(shown) + 0.4)
        grid = figure.subplots(len(shown), len(arms), sharex=True, sharey="row", squeeze=False)
        for column, arm in enumerate(arms):
            _column(list(grid[:, column]), rows[rows["arm"] == arm], shown, looks)
            grid[0, column].set_title(style.literal(arm))
        for ax, quantity in zip(grid[:, 0], shown, strict=True):
            own = rows[rows["quantity"] == quantity]
            unit = own["unit"].iloc[0]
            is_log = quantity not in (LEARNED, LOSS) and scale_values(ax, own["value"])
            words = ", ".join(word for word in ("" if unit == "1" else unit, "log" if is_log else "") if word)
            ax.set_ylabel(style.wrap_name(TITLES[quantity], 16) + (f"\n({words})" if words else ""))
        has_other = bool((rows["texts"] == OTHER).any())
        _legend(grid[0, 0], looks, has_other=has_other)
        return style.finish(figure, TITLE, _notes(has_other=has_other))


def _column(axes: list[Axes], rows: pd.DataFrame, shown: list[str], looks: dict[str, style.ModelStyle]) -> None:
    learned = rows[(rows["quantity"] == LEARNED) & rows["moves_most"]]
    for ax, quantity in zip(axes, shown, strict=True):
        for row in learned.itertuples():
            ax.axvspan(row.previous_step, row.step, color=looks[f"seed {row.seed}"].color, alpha=0.1, linewidth=0)
        own = rows[rows["quantity"] == quantity]
        for (seed, _), series in own.groupby(["seed", "prompt_set"]):
            look, is_other = looks[f"seed {seed}"], (series["texts"] == OTHER).all()
            line: dict[str, Any] = DOTTED if is_other else {"linestyle": "-", "linewidth": 1.5}
            ax.plot(series["step"], series["value"], color=look.color, marker=look.marker, markersize=3, **line)
    scale_steps(axes[-1], rows["step"])
    axes[-1].set_xlabel("training step")


def _legend(ax: Axes, looks: dict[str, style.ModelStyle], *, has_other: bool) -> None:
    seeds = [
        Line2D([], [], color=look.color, marker=look.marker, markersize=3, label=name) for name, look in looks.items()
    ]
    other = [Line2D([], [], color="#444444", **DOTTED, label="texts that it did not have")] if has_other else []
    ax.legend(handles=[*seeds, *other], loc="lower right", fontsize="small")


def _notes(*, has_other: bool) -> list[str]:
    texts = "Solid: prompts that the training knows, by its loss on them at the end; dotted: other prompts. "
    return [
        f"Shaded: between which checkpoints most is learned, by seed. {texts if has_other else ''}A velocity is the "
        "distance of the kernel from that at the checkpoint before. Seeds of an arm that agree are a hint, no evidence."
    ]
