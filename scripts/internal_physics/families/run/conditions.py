"""Conditions in words: what each adds to the residual stream, where, and on which models and prompt sets."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from internal_physics.config.conditions import BASELINE
from internal_physics.ground.status import OK

_SHOWN_NUMBERS = 8  # of a vector
_BASELINE = {"adds": "nothing", "layers": "nowhere", "scale": math.nan}


def conditions_table(
    conditions: Mapping[str, Mapping[str, Any]], runs: Iterable[tuple[str, str, Sequence[str]]]
) -> pd.DataFrame:
    """Table `conditions`: the baseline and every condition of the config.

    Args:
        conditions: name → vector, file or contrast, scale, and if given layers and tokens.
        runs: every model in every condition, with the names of the prompt sets that it is recorded on.
    """
    runs = list(runs)
    rows = []
    for name, words in {BASELINE: _BASELINE, **{n: in_words(options) for n, options in conditions.items()}}.items():
        own = [(model, prompt_sets) for model, condition, prompt_sets in runs if condition == name]
        prompt_sets = dict.fromkeys(prompt_set for _, of_run in own for prompt_set in of_run)
        place = {"models": ", ".join(model for model, _ in own), "prompt_sets": ", ".join(prompt_sets)}
        rows.append({"condition": name, **words, **place, "status": OK})
    return pd.DataFrame(rows)


def in_words(options: Mapping[str, Any]) -> dict[str, Any]:
    """What a condition adds, where (`layers`), and with which factor (`scale`)."""
    tokens = f", token weights {list(options['tokens'])}" if "tokens" in options else ""
    return {"adds": _direction(options) + tokens, "layers": _layers(options), "scale": float(options.get("scale", 1))}


def _direction(options: Mapping[str, Any]) -> str:
    if "contrast" in options:
        texts = options["contrast"]
        method = texts["method"].replace("_", " ")
        return f"the {method} between {_some_texts(texts['positive'])} and {_some_texts(texts['negative'])}"
    if "file" in options:
        return f"the direction in {options['file']}"
    vector = list(options["vector"])
    more = " …" if len(vector) > _SHOWN_NUMBERS else ""
    return f"the vector {vector[:_SHOWN_NUMBERS]}{more}, repeated to the width"


def _some_texts(texts: Sequence[str]) -> str:
    return f"“{texts[0]}”" + (f" (and {len(texts) - 1} more)" if len(texts) > 1 else "")


def _layers(options: Mapping[str, Any]) -> str:
    layers = options.get("layers")
    if layers is None:
        return "every layer that the file names" if "file" in options else "every block"
    if isinstance(layers, Mapping):
        return "layer " + ", ".join(f"{layer} (weight {weight:g})" for layer, weight in layers.items())
    return "layer " + ", ".join(map(str, layers))
