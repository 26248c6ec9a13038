"""Models as a sentence names them: with what was done to their weights. Pure."""

from collections.abc import Callable

import pandas as pd


def with_precision(models: pd.DataFrame) -> Callable[[str], str]:
    """A function from a model's name to "mine-nf4 (quantised to 4 bits)", or the name alone where it is not quantised.

    Args:
        models: table `models`.
    """
    quantised = models[models["quantization"] != "none"]
    words = {row.model: f"{row.model} (quantised to {row.bits} bits)" for row in quantised.itertuples()}
    return lambda name: words.get(name, name)
