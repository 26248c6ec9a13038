"""One figure per prompt set, saved under the names a rule gives."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from internal_physics.figures.style import save


def save_by_set(
    draw: Callable[..., Figure],
    table: pd.DataFrame,
    outputs: Iterable[str],
    *,
    models: Sequence[str],
    prompt_sets: Sequence[str],
) -> None:
    """Draw each prompt set and save it to the outputs named after it: "{figure}-{prompt_set}.{format}".

    A figure shows the models that ran its prompt set: a masked model has no place among causal ones.

    Raises:
        ValueError: for a set without outputs.
    """
    outputs = list(outputs)
    for prompt_set in prompt_sets:
        shown = _ran(table, prompt_set, models)
        rows = table if len(shown) == len(models) else table[table["model"].isin(shown)]
        save(draw(rows, prompt_set, models=shown), outputs_named(outputs, prompt_set))


def _ran(table: pd.DataFrame, prompt_set: str, models: Sequence[str]) -> list[str]:
    """The models without those that have rows for other prompt sets only."""
    elsewhere = set(table["model"]) - set(table.loc[table["prompt_set"] == prompt_set, "model"])
    return [model for model in models if model not in elsewhere]


def outputs_named(outputs: Iterable[str], name: str, what: str = "prompt set") -> list[str]:
    """The paths "{figure}-{name}.{format}"; the name may hold hyphens, the figure's own name has none.

    Args:
        outputs: of a rule.
        name: of a prompt set, a model, ...
        what: it is the name of.

    Raises:
        ValueError: if there is none.
    """
    paths = [path for path in outputs if Path(path).stem.partition("-")[2] == name]
    if not paths:
        raise ValueError(f"no output is named after the {what} {name!r}")
    return paths
