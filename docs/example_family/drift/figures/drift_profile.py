"""Cosine of every residual with the embedding, along depth: one line per model."""

from collections.abc import Sequence

import pandas as pd
from internal_physics.families.scores.tables import LAYERS
from internal_physics.figures import style
from internal_physics.figures.by_set import by_set
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.selection import count_prompts, left_out_notes, select
from internal_physics.ground.words import plural
from internal_physics.tables.read import TableBySet
from matplotlib.figure import Figure


def figures(inputs: Inputs, *, models: Sequence[str], prompt_sets: Sequence[str]) -> Figures:
    """One figure for each prompt set."""
    return by_set(draw, TableBySet(inputs["layers"], LAYERS), models, prompt_sets)


def draw(
    layers: pd.DataFrame, prompt_set: str, condition: str = "baseline", *, models: Sequence[str] | None = None
) -> Figure:
    """Draw the mean cosine over prompts against the residual l.

    Args:
        layers: table `layers`; only rows of embedding_cosine are shown.
        prompt_set: which prompt set.
        condition: which condition.
        models: their order, which fixes their looks; by name when not given.
    """
    rows = layers[layers["quantity"] == "embedding_cosine"]
    chosen = select(rows, prompt_set, condition, values=["value"], models=models)
    looks = style.model_styles(chosen.models)
    with style.house_style():
        figure = style.new_figure(0.65 * style.PAGE_WIDTH_INCHES, 3.0)
        ax = figure.add_subplot()
        for model in chosen.models:
            mean = chosen.usable[chosen.usable["model"] == model].groupby("layer")["value"].mean()
            ax.plot(mean.index, mean, **looks[model].line(), label=style.literal(model))
        ax.set(xlabel="residual l (0 = embedding)", ylabel="cosine with the embedding\n(dimensionless)")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend()
        title = f"Drift from the embedding on {prompt_set} ({plural(count_prompts(rows), 'prompt')})"
        return style.finish(figure, title, ["Mean over prompts, last token.", *left_out_notes(chosen.left_out)])
