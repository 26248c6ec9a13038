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

    Raises:
        ValueError: for a set without outputs.
    """
    outputs = list(outputs)
    for prompt_set in prompt_sets:
        paths = [path for path in outputs if Path(path).stem.partition("-")[2] == prompt_set]
        if not paths:
            raise ValueError(f"no output is named after the prompt set {prompt_set!r}")
        save(draw(table, prompt_set, models=models), paths)
