"""The summary of the scores, and its statements about differences between models. Pure, no I/O."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from internal_physics.families.pairs.apart import Apart, fewest_prompts
from internal_physics.ground.words import plural
from internal_physics.report.parts import number, span

NO_BEST = "No model is best on this set."
ONE_MODEL = "One model: nothing to compare."


def summarize(
    scores: pd.DataFrame, normalized: pd.DataFrame, apart: Apart, models: Sequence[str], metrics: Sequence[str]
) -> list[dict[str, Any]]:
    """One block for each prompt set and condition: a row per model, a cell per metric.

    Args:
        scores: table `scores`.
        normalized: table `scores_normalized`.
        apart: which models table `model_pairs` tells apart.
        models: order of the rows.
        metrics: order of the cells.

    Returns:
        Blocks {prompt_set, condition, n, is_compared, verdict, rows: [{model, cells}], flags}. A block of one model is
        not compared, which its verdict says. A cell is None where the table has no row, else {value, interval, score,
        is_best, is_apart, is_flagged}. Best is the model whose value is smaller than that of every other one and told
        apart from it; apart is one that is told apart from any other. Flags list in words the cells that are not "ok".
    """
    keys = ["prompt_set", "condition", "model", "metric"]
    points = normalized.set_index(keys)["score"].to_dict()
    blocks = []
    for (prompt_set, condition), group in scores.groupby(["prompt_set", "condition"], sort=False):
        cells = {
            (row.model, row.metric): _cell(
                row, points.get((prompt_set, condition, row.model, row.metric), math.nan), apart
            )
            for row in group.itertuples()
        }
        shown = [model for model in models if model in set(group["model"])]
        is_compared = len(shown) > 1
        blocks.append(
            {
                "prompt_set": prompt_set,
                "condition": condition,
                "n": span(group["n_prompts"]),
                "is_compared": is_compared,
                "verdict": _verdict(group, apart, metrics) if is_compared else ONE_MODEL,
                "rows": [{"model": m, "cells": [cells.get((m, metric)) for metric in metrics]} for m in shown],
                "flags": _flags(group, metrics),
            }
        )
    return blocks


def _verdict(group: pd.DataFrame, apart: Apart, metrics: Sequence[str]) -> str:
    """Whether a model is best, and how many pairs of models each metric tells apart."""
    prompt_set, condition = group[["prompt_set", "condition"]].iloc[0]
    places = {metric: (prompt_set, condition, metric) for metric in metrics if metric in set(group["metric"])}
    tested = {metric.upper(): place for metric, place in places.items() if apart.is_tested(place)}
    parts = [] if any(apart.smallest(place) for place in places.values()) else [NO_BEST]
    if counts := [f"{apart.n_apart(place)} in {metric}" for metric, place in tested.items()]:
        n_pairs = max(map(apart.n_pairs, tested.values()))
        parts.append(f"Told apart, of {plural(n_pairs, 'pair')} of models: {', '.join(counts)}.")
    if untested := [metric.upper() for metric in places if metric.upper() not in tested]:
        parts.append(f"Not tested: {', '.join(untested)}.")
    fewest = fewest_prompts(apart.significance)
    return " ".join(parts + ([_too_few(fewest)] if group["n_prompts"].max() < fewest else []))


def _too_few(fewest: int) -> str:
    return f"Fewer than {fewest} prompts cannot tell two models apart."


def _flags(group: pd.DataFrame, metrics: Sequence[str]) -> list[str]:
    """'model, ISC, EC: status' for each model and status that is not "ok"."""
    flagged = group[group["status"] != "ok"].groupby(["model", "status"], sort=False)["metric"]
    return [
        f"{model}, {', '.join(m.upper() for m in metrics if m in set(names))}: {status}"
        for (model, status), names in flagged
    ]


def _cell(row: Any, score: float, apart: Apart) -> dict[str, Any]:
    has_interval = math.isfinite(row.ci_low) and math.isfinite(row.ci_high)
    place = (row.prompt_set, row.condition, row.metric)
    return {
        "value": number(row.value),
        "interval": f"[{number(row.ci_low)}, {number(row.ci_high)}]" if has_interval else "no interval",
        "score": f"{score:.2f}" if math.isfinite(score) else None,
        "is_best": apart.smallest(place) == row.model,
        "is_apart": bool(apart.others(place).get(row.model)),
        "is_flagged": row.status != "ok",
    }
