"""What the tangent kernel of lab models says along their training: people, values, and the tree above tokens."""

from collections.abc import Callable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from internal_physics.families.training.figures.steps import scale_steps
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.ground.status import OK
from internal_physics.ground.words import plural
from internal_physics.lab.experiments.arm_lines import seeds_and_mean
from internal_physics.lab.kernels.tables import COSINE_RANK, DEBIASED, LAB_KERNEL, MARGIN
from internal_physics.tables.read import read_table

Panel = Callable[[Axes], None]
MOST_PANELS = 6


def figures(inputs: Inputs) -> Figures:
    """One figure of all arms."""
    yield "", draw(read_table(inputs["lab_kernel"], LAB_KERNEL))


def draw(kernels: pd.DataFrame) -> Figure:
    """Draw a panel for each kind of number that the table has, one color per arm.

    Args:
        kernels: table `lab_kernel`.
    """
    usable = kernels[kernels["status"] == OK]
    panels = _panels(usable)[:MOST_PANELS]
    with style.house_style():
        n_rows = max(1, -(-len(panels) // 2))
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 2.6 * n_rows)
        axes = list(figure.subplots(n_rows, 2, squeeze=False).flat)
        for ax in axes[len(panels) :]:
            ax.remove()
        for ax, panel in zip(axes, panels, strict=False):
            panel(ax)
        seeds = plural(usable["seed"].nunique(), "seed")
        return style.finish(figure, f"Gradients of lab models, exploratory ({seeds})", _notes(usable))


def _panels(usable: pd.DataFrame) -> list[Panel]:
    found: list[Panel] = []
    margins, ranks = (usable[usable["quantity"] == name] for name in (MARGIN, COSINE_RANK))
    if len(margins):
        title, label = "question and text of one person", "cosine beyond that of\ntwo people"
        found.append(lambda ax: _lines(ax, margins, "exposures", title, label))
    if len(ranks):
        shares = ranks.assign(value=ranks["value"] / ranks["n_scalars"])
        found.append(
            lambda ax: _lines(ax, shares, "exposures", "directions of people's values", "effective rank\nper value")
        )
    aligned = usable[usable["quantity"] == DEBIASED]
    for level in sorted(aligned["of"].unique(), reverse=True):
        rows = aligned[aligned["of"] == level]
        found.append(
            lambda ax, rows=rows, level=level: _lines(  # type: ignore[misc]
                ax, rows, "step", f"gradients follow the symbol above ({level})", "alignment (debiased CKA)"
            )
        )
    return found


def _lines(ax: Axes, rows: pd.DataFrame, along: str, title: str, label: str) -> None:
    looks = style.model_styles(sorted(rows["arm"].unique()))
    ax.axhline(0, color="#444444", linewidth=0.8)
    seeds_and_mean(ax, rows, "value", looks, along=along)
    words = {"exposures": "texts of each person so far", "step": "training step"}
    ax.set(title=title, xlabel=words[along], ylabel=label)
    if along == "step":
        scale_steps(ax, rows["step"])
    ax.legend(fontsize=7)


def _notes(usable: pd.DataFrame) -> list[str]:
    sketched = sorted(usable.loc[usable["source"] == "sketch", "arm"].unique())
    notes = [
        "Cosines between gradients of log-probabilities of true next tokens, over all matrices. Thin lines and points "
        "are seeds, thick ones their means. No published number is at stake.",
        "People: the first word of a value after a question and within a text. Values: 1 for gradients that share no "
        "direction. Symbols: 1 if gradients agree exactly where the symbol does, 0 if they do not heed it; the "
        "predicted word is the same everywhere.",
    ]
    return notes + ([f"Estimated from sketches: {', '.join(sketched)}."] if sketched else [])
