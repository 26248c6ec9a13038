"""Metric rows of made-up models, and their pairs."""

import math

import pandas as pd
from internal_physics.families.pairs.model_pairs import pair_models
from internal_physics.families.registry import METRICS, TABLES, score_units
from internal_physics.tables.check_tables import table_problems
from internal_physics.tables.conform import conform
from internal_physics.tables.measure import COLUMNS
from internal_physics.tables.units import with_units

SETTINGS = {"seed": 0, "n_resamples": 199, "confidence_level": 0.95}
TYPES = {"n_tokens": "Int64", "loss_nats": float, "layer": "Int64", "rank": "Int64", "value": float}
NAN = math.nan


def metric_rows(metric, values, *, prompt_set="s", condition="baseline", losses=None, statuses=None):
    """Rows of one metric: `values` is model -> numbers of its prompts p0, p1, ...; losses and statuses likewise."""
    found = []
    for model, numbers in values.items():
        for i, value in enumerate(numbers):
            loss = losses[model][i] if losses else 1.0 + i
            status = (statuses or {}).get(model, ["ok"] * len(numbers))[i]
            found.append((model, condition, prompt_set, f"p{i}", 5, loss, None, None, metric, value, status))
    return as_table(metric, found)


def set_rows(values, *, n_prompts=4, prompt_set="s"):
    """ISF of one set by model, with the ranks of its spectrum."""
    found = []
    for model, value in values.items():
        keys = (model, "baseline", prompt_set, None, None, None, None)
        found += [(*keys, None, quantity, value, "ok") for quantity in ("isf", "isf_ci_low")]
        found += [(*keys, rank, "eigenvalue", 1.0, "ok") for rank in range(1, n_prompts + 1)]
    return as_table("isf", found)


def as_table(metric, found):
    columns = [column for column in COLUMNS if column != "text"]
    return pd.DataFrame(found, columns=columns).astype(TYPES).assign(text=None, metric=metric)


def texts_of(rows):
    places = rows[rows["prompt"].notna()][["prompt_set", "prompt"]].drop_duplicates()
    return places.assign(text=places["prompt_set"] + " " + places["prompt"], answer=None)


def pairs(*parts, texts=None, models="abcd", **changed):
    rows = pd.concat(parts, ignore_index=True)
    found = pair_models(rows, texts_of(rows) if texts is None else texts, list(models), **(SETTINGS | changed))
    found = conform(with_units(found, score_units(METRICS)), TABLES["model_pairs"])
    assert table_problems(found, TABLES["model_pairs"]) == []
    return found


def only(table, **where):
    for column, value in where.items():
        table = table[table[column] == value]
    return table


def the(table, **where):
    (row,) = only(table, **where).itertuples()
    return row


THREE = {"a": [1.0, 2.0, 3.0, 4.0], "b": [2.0, 1.0, 5.0, 4.5], "c": [4.0, 4.0, 4.0, 4.0]}
