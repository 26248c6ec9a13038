"""What is learned of people of use, alone and among junk: along the training, and at its end."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.ground.status import OK
from internal_physics.ground.words import plural
from internal_physics.lab.experiments.arm_lines import seeds_and_mean
from internal_physics.lab.experiments.junk.experiment import KINDS, LAB_JUNK
from internal_physics.tables.read import read_table

WORDS = {
    "good_only": "no junk",
    "junk": "junk",
    "junk_domain_on_good": "junk, domain token\nbefore texts of use",
    "junk_domain_on_all": "junk, domain token\nbefore all texts",
    "junk_repeated": "junk about a few\npeople, repeated",
    "other": "other mixtures",
}


def figures(inputs: Inputs) -> Figures:
    """One figure of all arms."""
    yield "", draw(read_table(inputs["lab_junk"], LAB_JUNK))


def draw(measured: pd.DataFrame) -> Figure:
    """Draw the learned share of the value bits against exposures so far, and after the last step.

    Args:
        measured: table `lab_junk`.
    """
    usable = _with_exposures_so_far(measured[measured["status"] == OK])
    kinds = [kind for kind in KINDS if kind in set(usable["mixture"])]
    looks = style.model_styles([WORDS[kind] for kind in KINDS])
    with style.house_style():
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 3.0)
        along, end = figure.subplots(1, 2, width_ratios=(1.1, 1))
        seeds_and_mean(along, usable, "value_share", looks, along="exposures_so_far")
        along.set(
            title="along the training",
            xlabel="texts of each person so far",
            ylabel="learned share of the value bits",
            ylim=(-0.05, 1.05),
        )
        _last(end, usable[usable["is_last"]], kinds, looks)
        title = f"What is learned among junk ({plural(measured['seed'].nunique(), 'seed')})"
        return style.finish(figure, title, _notes(measured))


def _with_exposures_so_far(usable: pd.DataFrame) -> pd.DataFrame:
    """With the columns arm (the mixture in words), exposures_so_far and is_last."""
    last = usable.groupby(["arm", "seed"])["step"].transform("max")
    return usable.assign(
        arm=usable["mixture"].map(WORDS),
        exposures_so_far=usable["step"] / last * usable["exposures"],
        is_last=usable["step"] == last,
    )


def _last(ax: Axes, rows: pd.DataFrame, kinds: list[str], looks: dict[str, style.ModelStyle]) -> None:
    for place, kind in enumerate(kinds):
        own = rows.loc[rows["mixture"] == kind, "value_share"]
        look = looks[WORDS[kind]]
        ax.barh(place, own.mean(), color=look.color, alpha=0.35, height=0.7)
        ax.plot(own, [place] * len(own), color=look.color, marker=look.marker, linestyle="none")
    ax.set_yticks(range(len(kinds)), [WORDS[kind] for kind in kinds])
    ax.invert_yaxis()
    ax.axvline(1, color="#444444", linewidth=0.8)
    ax.set(
        title="after the last step",
        xlabel="learned share of the value bits",
        xlim=(min(0, rows["value_share"].min()), 1.05),
    )


def _notes(measured: pd.DataFrame) -> list[str]:
    share = measured["junk_share"].max()
    return [
        "Value bits: what a model knows of the attributes of the people of use, by its loss on their values, over all "
        "bits that there are. All arms read the people of use equally often; those with junk read more in all"
        f" ({share:.3g} of the rows are junk). Thin lines and points are seeds, thick lines and bars their means.",
    ]
