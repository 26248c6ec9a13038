"""How solutions first go wrong, by the operations that the answer needs, one panel for each arm."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.ground.words import plural
from internal_physics.lab.data.reasoning.check import ERROR_KINDS
from internal_physics.lab.experiments.reasoning.experiment import LAB_REASONING_ERRORS
from internal_physics.tables.read import read_table


def figures(inputs: Inputs) -> Figures:
    """One figure of all arms."""
    yield "", draw(read_table(inputs["lab_reasoning_errors"], LAB_REASONING_ERRORS))


def draw(errors: pd.DataFrame) -> Figure:
    """Draw the share of each kind of first error as stacked bars.

    Args:
        errors: table `lab_reasoning_errors`.
    """
    arms = sorted(errors["arm"].unique())
    looks = style.model_styles(list(ERROR_KINDS))
    n_rows = -(-(len(arms) + 1) // 3)  # a place is for the legend
    with style.house_style():
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 2.3 * n_rows)
        axes = list(figure.subplots(n_rows, 3, sharey=True, squeeze=False).flat)
        for ax, arm in zip(axes, arms, strict=False):
            _panel(ax, errors[errors["arm"] == arm], looks)
            ax.set_title(style.literal(arm))
        for ax in axes[::3][: -(-len(arms) // 3)]:
            ax.set_ylabel("share of solutions")
        for ax in axes[len(arms) :]:
            ax.axis("off")
        if arms:
            axes[len(arms)].legend(*axes[0].get_legend_handles_labels(), loc="center", title="first error")
        seeds = plural(errors["seed"].nunique(), "seed")
        return style.finish(figure, f"How solutions first go wrong ({seeds})", _notes())


def _panel(ax: Axes, rows: pd.DataFrame, looks: dict[str, style.ModelStyle]) -> None:
    shares = rows.pivot_table(index="operations", columns="error", values="share")
    base = pd.Series(0.0, index=shares.index)
    for kind in ERROR_KINDS:
        ax.bar(
            shares.index, shares[kind], bottom=base, width=0.7, color=looks[kind].color, label=kind.replace("_", " ")
        )
        base = base + shares[kind]
    ax.set(xticks=list(shares.index), ylim=(0, 1), xlabel="operations needed")


def _notes() -> list[str]:
    return [
        "Means over seeds. "
        + "; ".join(f"{kind.replace('_', ' ')}: {words}" for kind, words in ERROR_KINDS.items())
        + "."
    ]
