"""What models of a grammar learn along their training: distance from the grammar, strings, and their variety."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from internal_physics.families.training.figures.steps import scale_steps
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.ground.status import OK
from internal_physics.ground.words import plural
from internal_physics.lab.experiments.arm_lines import seeds_and_mean
from internal_physics.lab.experiments.grammar.experiment import LAB_GRAMMAR
from internal_physics.tables.read import read_table


def figures(inputs: Inputs) -> Figures:
    """One figure of all arms."""
    yield "", draw(read_table(inputs["lab_grammar"], LAB_GRAMMAR))


def draw(learned: pd.DataFrame) -> Figure:
    """Draw distance, accuracy by cut and surplus of entropy against the step, one color per arm.

    Args:
        learned: table `lab_grammar`.
    """
    usable = learned[learned["status"] == OK]
    arms = sorted(usable["arm"].unique())
    cuts = sorted(usable["cut"].unique())
    with style.house_style():
        n_panels = 2 + len(cuts)
        n_rows = -(-n_panels // 2)
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 2.4 * n_rows)
        axes = list(figure.subplots(n_rows, 2, sharex=True, squeeze=False).flat)
        for ax in axes[n_panels:]:
            ax.remove()
        looks = style.model_styles(arms)
        whole = usable[usable["cut"] == cuts[0]] if cuts else usable
        _distance(axes[0], whole, looks)
        _surplus(axes[1], whole, looks)
        for ax, cut in zip(axes[2:], cuts, strict=False):
            seeds_and_mean(ax, usable[usable["cut"] == cut], "accuracy", looks)
            given = "nothing given" if cut == 0 else f"{plural(cut, 'token')} given"
            ax.set(title=f"valid strings, {given}", ylabel="share of strings", ylim=(-0.02, 1.02))
        for ax in axes[n_panels - 2 : n_panels]:
            scale_steps(ax, usable["step"])
            ax.set_xlabel("training step")
        axes[0].legend()
        return style.finish(figure, _title(learned), _notes(learned))


def _distance(ax: Axes, rows: pd.DataFrame, looks: dict[str, style.ModelStyle]) -> None:
    seeds_and_mean(ax, rows, "kl_nats", looks)
    ax.set(title="distance from the grammar", ylabel="KL (nats per token, log)", yscale="log")
    style.plain_log_labels(ax.yaxis)


def _surplus(ax: Axes, rows: pd.DataFrame, looks: dict[str, style.ModelStyle]) -> None:
    surplus = rows.assign(surplus=rows["entropy_nats"] - rows["grammar_entropy_nats"])
    seeds_and_mean(ax, surplus, "surplus", looks)
    ax.axhline(0, color="#444444", linewidth=0.8)
    ax.set(title="variety of what it writes", ylabel="entropy of a string\nminus the grammar's (nats)")


def _title(learned: pd.DataFrame) -> str:
    return f"Learning a grammar: {plural(learned['arm'].nunique(), 'arm')}, {plural(learned['seed'].nunique(), 'seed')}"


def _notes(learned: pd.DataFrame) -> list[str]:
    left_out = sorted(learned.loc[learned["status"] != OK, "arm"].unique())
    notes = [
        "Thin lines are seeds, thick ones their means. KL: mean over all prefixes of fresh strings between the exact "
        "distribution of the next token and the model's.",
        "A string counts as valid if the grammar derives all of it. An entropy below that of the grammar: the model "
        "repeats itself; above: it also writes what the grammar never would.",
    ]
    return notes + ([f"Without rows: {', '.join(left_out)}."] if left_out else [])
