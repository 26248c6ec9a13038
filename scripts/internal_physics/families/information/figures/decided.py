"""Where answers are decided: share of prompts decided, probability and rank of the answer along depth, by model."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from internal_physics.families.information.followed_names import ANSWER
from internal_physics.families.information.tables import DECIDED, INFORMATION
from internal_physics.figures import style
from internal_physics.figures.by_set import by_set
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.selection import Selection, left_out_notes, select
from internal_physics.ground.words import plural
from internal_physics.tables.keys import PROMPT_KEY
from internal_physics.tables.read import TableBySet, read_table

_PANEL_INCHES, _LEGEND_ROW_INCHES, _LEGEND_COLUMNS = 2.5, 0.22, 4
_CURVES = ("answer_probability", "answer_rank")


def figures(inputs: Inputs, *, models: Sequence[str], prompt_sets: Sequence[str]) -> Figures:
    """One figure for each prompt set."""
    decided = read_table(inputs["decided"], DECIDED)
    information = TableBySet(inputs["information"], INFORMATION, pc.field("quantity").isin(_CURVES))
    return by_set(partial(_draw, decided), information, models, prompt_sets)


def _draw(decided: pd.DataFrame, information: pd.DataFrame, prompt_set: str, models: Sequence[str]) -> Figure:
    return draw(information, decided, prompt_set, models=models)


def draw(
    information: pd.DataFrame,
    decided: pd.DataFrame,
    prompt_set: str,
    condition: str = "baseline",
    *,
    models: Sequence[str] | None = None,
) -> Figure:
    """Draw the answers of one prompt set along depth.

    Args:
        information: table `information`; its answer_probability and answer_rank.
        decided: table `decided`. Where some prompts have an answer, only those are shown, else all with the model's own
            best token.
        prompt_set: which prompt set.
        condition: which condition.
        models: their order, which fixes their looks; by name when not given.
    """
    own = decided[decided["model"].isin(information["model"].unique())]
    chosen = select(own, prompt_set, condition, values=["final_rank"], models=models)
    rows = _followed_alike(chosen.usable)
    curves = information.merge(rows[PROMPT_KEY], on=PROMPT_KEY)
    looks = style.model_styles(chosen.models)
    with style.house_style():
        legend_inches = _LEGEND_ROW_INCHES * -(-len(looks) // _LEGEND_COLUMNS)
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, _PANEL_INCHES + legend_inches)
        grid = figure.add_gridspec(2, 3, height_ratios=[_PANEL_INCHES, legend_inches])
        axes = [figure.add_subplot(grid[0, column]) for column in range(3)]
        for model in chosen.models:
            _draw_model(axes, rows[rows["model"] == model], curves[curves["model"] == model], looks[model])
        has_answers = bool((rows["followed"] == ANSWER).any())
        _dress(axes, "answer" if has_answers else "own best token")
        _legend(figure.add_subplot(grid[1, :]), looks)
        of_whom = "answers" if has_answers else "the model's own tokens"
        title = f"Where {of_whom} are decided on {prompt_set} ({plural(rows['prompt'].nunique(), 'prompt')})"
        return style.finish(figure, title, _notes(rows, chosen, has_answers))


def _followed_alike(decided: pd.DataFrame) -> pd.DataFrame:
    has_answer = decided["followed"] == ANSWER
    return decided[has_answer] if has_answer.any() else decided


def decided_share(decided: pd.DataFrame, n_layers: int) -> np.ndarray:
    """[L + 1] share of the prompts that are decided at residual l or before, 0 to 1; the last is the share on top."""
    settled = decided["settled_layer"].dropna().to_numpy(dtype=int)
    return np.bincount(settled, minlength=n_layers + 1).cumsum() / len(decided)


def _draw_model(axes: Sequence[Axes], decided: pd.DataFrame, curves: pd.DataFrame, look: style.ModelStyle) -> None:
    if decided.empty:
        return
    by_layer = curves[np.isfinite(curves["value"])].groupby(["quantity", "layer"])["value"]
    probability, rank = by_layer.mean()["answer_probability"], by_layer.median()["answer_rank"]
    line: dict[str, Any] = {"color": look.color, "linestyle": look.linestyle}
    share = decided_share(decided, int(probability.index.max()))
    axes[0].step(np.arange(len(share)), share, where="post", gid="decided", **line)
    axes[0].plot(len(share) - 1, share[-1], color=look.color, marker=look.marker, markersize=4, gid="correct")
    axes[1].plot(probability.index, probability, gid="probability", **line)
    axes[2].plot(rank.index, rank, gid="rank", **line)


def _legend(ax: Axes, looks: Mapping[str, style.ModelStyle]) -> None:
    ax.axis("off")
    lines = [Line2D([], [], **look.line(), markersize=4, label=style.literal(model)) for model, look in looks.items()]
    ax.legend(handles=lines, loc="center", ncols=_LEGEND_COLUMNS, handlelength=3.2)


def _dress(axes: Sequence[Axes], what: str) -> None:
    words = (f"prompts whose {what}\nis on top from here on", f"probability of the {what}\n(mean)")
    for ax, label in zip(axes, (*words, f"rank of the {what}\n(median, log; 1 = on top)"), strict=True):
        ax.set(xlabel="residual l (0 = embedding)", ylabel=label)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        ax.margins(x=0.03)
    axes[0].set_ylim(-0.03, 1.03)
    axes[0].yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    axes[1].set_ylim(bottom=0)
    axes[2].set_yscale("log")
    style.plain_log_labels(axes[2].yaxis)
    axes[2].invert_yaxis()


def _notes(shown: pd.DataFrame, chosen: Selection, has_answers: bool) -> list[str]:
    notes = []
    if has_answers:
        shares = shown.groupby("model")["is_correct"].agg(["sum", "count"]).reindex(chosen.models).dropna()
        correct = "; ".join(f"{model} {int(row['sum'])} of {int(row['count'])}" for model, row in shares.iterrows())
        notes.append(f"On top in the end (marker at the right of the left panel): {correct}.")
        n_first = shown.loc[shown["n_answer_tokens"] > 1, "prompt"].nunique()
        if n_first:
            notes.append(f"{plural(n_first, 'answer')} of several tokens: followed by the first one.")
        n_without = chosen.usable["prompt"].nunique() - shown["prompt"].nunique()
        if n_without:
            notes.append(f"Not shown: {plural(n_without, 'prompt')} without an answer.")
    else:
        notes.append(
            "No prompt has an answer: the model's own best token is followed, which ends on top by definition."
        )
    return [*notes, *left_out_notes(chosen.left_out)]
