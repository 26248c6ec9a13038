"""Rule model_pairs: metric rows of all models → the table `model_pairs`, every two models on the same prompts.

No metric is named here: every metric with one number per prompt or per prompt set is compared, and so is the loss.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.compute as pc

from internal_physics.families.pairs.tables import ALL_SETS, MODEL_PAIRS
from internal_physics.families.run.notes import is_repeated
from internal_physics.families.run.tables import PROMPTS_READ
from internal_physics.ground.seeds import seed_of
from internal_physics.ground.status import OK, join_status
from internal_physics.statistics.many_tests import adjust_false_discovery
from internal_physics.statistics.matched import Matched, compare_matched
from internal_physics.tables.columns import UNIT
from internal_physics.tables.loss_rows import LOSS, with_loss
from internal_physics.tables.read import read_table
from internal_physics.tables.rows import read_metrics

OF_THE_SET = "one number of the set: no interval and no test"
_NO_VALUE = "no value in one of the models"
_COLUMNS = [name for name in MODEL_PAIRS.columns if name != UNIT]  # the adapter adds units
_PLACE = ["prompt_set", "prompt"]
Pair = tuple[str, str]  # a model and its reference
Rows = Iterator[dict[str, Any]]


def pair_files(paths: Sequence[str], prompts: str | Path, models: Sequence[str], **settings: Any) -> pd.DataFrame:
    """The table from files: those of the metrics, and table `prompts_read` for the texts. See `pair_models`."""
    if not paths:
        return _adjusted([])
    texts = read_table(prompts, PROMPTS_READ, columns=[*_PLACE, "text", "answer"]).drop_duplicates(_PLACE)
    return pair_models(read_metrics(paths, pc.field("layer").is_null()), texts, models, **settings)


def pair_models(
    rows: pd.DataFrame,
    texts: pd.DataFrame,
    models: Sequence[str],
    *,
    seed: int,
    n_resamples: int,
    confidence_level: float,
) -> pd.DataFrame:
    """Table `model_pairs` from the rows of all metrics (columns of tables.measure, and `metric`).

    Every two models that ran a prompt set in a condition are compared on it; on several sets, also on the prompts of
    all sets together, where a text that stands in two sets counts once, unless its gap has another answer there. All
    p-values of the table are adjusted together: of the runs in which no two models differ, 5 % have an adjusted p below
    0.05.

    Args:
        rows: of all metrics; rows by layer are not used.
        texts: of every prompt, in columns prompt_set, prompt, text and answer.
        models: in order; of two models, the earlier one is the reference.
        seed: of resampling and signs.
        n_resamples: number of bootstrap samples, and of patterns of signs.
        confidence_level: of the intervals.
    """
    settings: dict[str, Any] = {"n_resamples": n_resamples, "confidence_level": confidence_level}
    rows = with_loss(rows[rows["layer"].isna()])
    scores = rows[rows["rank"].isna() & ((rows["quantity"] == rows["metric"]) | (rows["metric"] == LOSS))]
    n_ranks = rows.groupby("prompt_set")["rank"].max().fillna(0).astype(int)
    unique = texts[~is_repeated(texts)][_PLACE]
    found: list[dict[str, Any]] = []
    for (prompt_set, condition), group in scores.groupby(["prompt_set", "condition"], sort=False):
        own = settings | {"seed": seed_of(seed, "model_pairs", condition, prompt_set)}
        keys = {"condition": condition, "prompt_set": prompt_set}
        found += [keys | row for row in _of_set(group, _pairs(group, models), int(n_ranks[prompt_set]), own)]
    for condition, group in scores[scores["prompt"].notna()].groupby("condition", sort=False):
        own = settings | {"seed": seed_of(seed, "model_pairs", condition, ALL_SETS)}
        keys = {"condition": condition, "prompt_set": ALL_SETS}
        pairs = _pairs(group, models, fewest_sets=2)
        found += [keys | row for row in _of_set(group.merge(unique, on=_PLACE), pairs, 0, own)]
    return _adjusted(found)


def _adjusted(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The table with the p-values of all its rows adjusted together."""
    table = pd.DataFrame(rows, columns=_COLUMNS)
    return table.assign(p_adjusted=adjust_false_discovery(table["p"].astype("float64")))


def _pairs(rows: pd.DataFrame, models: Sequence[str], fewest_sets: int = 1) -> list[Pair]:
    """Models and their references that share at least this many prompt sets, in the order of the models."""
    sets = rows.groupby("model")["prompt_set"].agg(set).to_dict()
    two = combinations([model for model in models if model in sets], 2)
    return [(model, reference) for reference, model in two if len(sets[model] & sets[reference]) >= fewest_sets]


def _of_set(rows: pd.DataFrame, pairs: Sequence[Pair], n_ranks: int, settings: Mapping[str, Any]) -> Rows:
    """Rows of one prompt set and condition, metric by metric."""
    for metric, of_metric in rows.groupby("metric", sort=False):
        is_of_prompts = of_metric["prompt"].notna().any()
        made = _of_prompts(of_metric, pairs, settings) if is_of_prompts else _of_whole(of_metric, pairs, n_ranks)
        for (model, reference), row in zip(pairs, made, strict=True):
            yield {"model": model, "reference": reference, "metric": metric} | row


def _of_prompts(rows: pd.DataFrame, pairs: Sequence[Pair], settings: Mapping[str, Any]) -> Rows:
    """A row for each pair, from one number per prompt; a prompt without the number in one of the models is left out."""
    lined_up = rows.assign(value=rows["value"].where(rows["status"] == OK), ran=True)
    wide = lined_up.pivot(index=_PLACE, columns="model", values=["value", "ran"])
    values, ran = wide["value"].astype("float64"), wide["ran"].notna()
    first, second = (values.reindex(columns=[pair[side] for pair in pairs]).to_numpy() for side in (0, 1))
    compared = compare_matched(first, second, **settings)
    for q, (model, reference) in enumerate(pairs):
        yield _row(compared, q, int((ran[model] & ran[reference]).sum()))


def _row(compared: Matched, q: int, n_asked: int) -> dict[str, Any]:
    n = int(compared.n[q])
    too_few = ("no prompts: nothing to compare", "one prompt: no interval and no test")
    left_out = f"{n_asked - n} of {n_asked} prompts left out: {_NO_VALUE}" if n < n_asked else ""
    difference, ratio = compared.difference, compared.ratio
    return {
        "value": compared.means[0, q],
        "reference_value": compared.means[1, q],
        "difference": difference.value[q],
        "ci_low": difference.low[q],
        "ci_high": difference.high[q],
        "ratio": ratio.value[q],
        "ratio_ci_low": ratio.low[q],
        "ratio_ci_high": ratio.high[q],
        "p": compared.p[q],
        "n_prompts": n,
        "test_status": too_few[n] if n < len(too_few) else OK,
        "status": join_status(left_out, too_few[n] if n < len(too_few) else ""),
    }


def _of_whole(rows: pd.DataFrame, pairs: Sequence[Pair], n_prompts: int) -> Rows:
    """A row for each pair, from one number of the whole set, without interval and p-value; `test_status` says so."""
    values = rows.set_index("model")["value"]
    for model, reference in pairs:
        x, y = float(values.get(model, math.nan)), float(values.get(reference, math.nan))
        has_values = math.isfinite(x) and math.isfinite(y)
        yield {
            "value": x,
            "reference_value": y,
            "difference": x - y,
            "ratio": x / y if has_values and x > 0 and y > 0 else math.nan,
            "n_prompts": n_prompts,
            "test_status": OF_THE_SET if has_values else _NO_VALUE,
            "status": OK if has_values else _NO_VALUE,
        }
