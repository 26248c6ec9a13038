"""Probability of the model's most probable final tokens along depth, one panel per model."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from internal_physics.families.information.figures.tokens import NOTE, fitted
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.selection import left_out_notes, require_columns, split
from internal_physics.tables.rows import read_rows

MAX_COLUMNS = 4
_LEGEND_POINTS = 52.0


def figures(inputs: Inputs, *, lens_prompts: Mapping[str, tuple[str, str]]) -> Figures:
    """One figure of the run, of the lens prompt (prompt set, prompt) of every model."""
    files = zip(lens_prompts, inputs["tokens"], strict=True)
    yield "", draw({model: read_rows(file) for model, file in files}, lens_prompts)


def draw(tokens: Mapping[str, pd.DataFrame], prompts: Mapping[str, tuple[str, str]]) -> Figure:
    """Draw the trajectories of one prompt in every model; a token has one look in all panels.

    Args:
        tokens: model → rows of its lens (see rows.token_rows).
        prompts: model → prompt set and name of its prompt; models of another task read another one.

    Returns:
        A figure with a panel for each model, in their order. Rows that are not ok are left out and named beneath.

    Raises:
        ValueError: columns are missing, or a model has no such prompt.
    """
    chosen = {model: _chosen(rows, model, *prompts[model]) for model, rows in tokens.items()}
    every = pd.concat([rows.assign(model=model) for model, rows in chosen.items()], ignore_index=True)
    usable, left_out = split(every, ["probability"])
    looks = style.model_styles(list(dict.fromkeys(every.sort_values("rank", kind="stable")["token"])))
    columns, one_prompt = min(MAX_COLUMNS, len(chosen)), len({tuple(prompts[model]) for model in chosen}) == 1
    rows = -(-len(chosen) // columns)
    with style.house_style():
        width = style.PAGE_WIDTH_INCHES if columns > 2 else 0.4 * (1 + columns) * style.PAGE_WIDTH_INCHES * 0.8
        figure = style.new_figure(width, 3.2 * rows)
        style.layout_of(figure).set(h_pad=0.1)
        axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for ax, model in zip(axes, chosen, strict=False):
            _panel(ax, usable[usable["model"] == model], looks)
            own = "" if one_prompt else "\n" + "/".join(prompts[model])
            ax.set_title(style.wrap_name(model) + own, fontweight="bold")
            ax.set_xlabel("residual l")
        for ax in axes[len(chosen) :]:
            ax.set_axis_off()
        for ax in axes[::columns]:
            ax.set_ylabel("probability")
        place = f" on {'/'.join(prompts[next(iter(chosen))])}" if one_prompt else ""
        return style.finish(figure, f"Final tokens along depth{place}", _notes(left_out))


def _chosen(rows: pd.DataFrame, model: str, prompt_set: str, prompt: str) -> pd.DataFrame:
    require_columns(rows, ["prompt_set", "prompt", "kind", "layer", "rank", "token", "probability", "status"])
    of_prompt = rows[(rows["prompt_set"] == prompt_set) & (rows["prompt"] == prompt) & (rows["kind"] == "final")]
    if of_prompt.empty:
        raise ValueError(f"the lens of {model} has no prompt {prompt_set}/{prompt}")
    return of_prompt


def _panel(ax: Axes, rows: pd.DataFrame, looks: Mapping[str, style.ModelStyle]) -> None:
    ax.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    ax.set_ylim(-0.02, 1.02)
    if rows.empty:
        style.empty_panel(ax)
        return
    for rank, line in rows.sort_values("layer").groupby("rank", sort=True):
        token, n_layers = line["token"].iloc[0], len(line)
        label = f"{fitted(token, _LEGEND_POINTS)} {line['probability'].iloc[-1]:.2f}"
        every = np.arange(n_layers - 1, -1, -max(1, n_layers // 8)).tolist()
        ax.plot(
            line["layer"],
            line["probability"],
            **looks[token].line(),
            markersize=3.5,
            markevery=every,
            label=label,
            zorder=3 - rank / 10,
        )
    ax.legend(loc="upper left", bbox_to_anchor=(0, -0.3), title="final probability", alignment="left", borderaxespad=0)


def _notes(left_out: pd.DataFrame) -> list[str]:
    notes = [
        "The probability that the readout of each residual gives to the tokens that the whole model finds most "
        f"probable next (masked models: at the [MASK]). l = 0 is the embedding. A word's leading space is not "
        f"shown. {NOTE}"
    ]
    return notes + left_out_notes(left_out)
