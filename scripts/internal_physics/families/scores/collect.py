"""Rule collect: metric rows of all models → the tables prompts, layers and scores."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from internal_physics.families.run.notes import of_prompts
from internal_physics.families.run.tables import PROMPTS_READ
from internal_physics.ground.seeds import seed_of
from internal_physics.ground.status import OK
from internal_physics.statistics.bootstrap import mean_interval
from internal_physics.tables.chunks import read_chunks
from internal_physics.tables.columns import NOTES, TARGETS
from internal_physics.tables.gather import by_model, layers_table
from internal_physics.tables.keys import PROMPT_KEY, PROMPT_OF_MODEL_KEY, SET_KEY
from internal_physics.tables.read import read_table
from internal_physics.tables.rows import read_metrics

PER_PROMPT = ["ec", "isc", "isg", "isa"]  # columns of table `prompts`
Scored = Mapping[str, str]  # metric -> how its rows become scores: one of families.family.Score


def collect_files(
    paths: Sequence[str],
    prompts: str | Path,
    scored: Scored,
    *,
    seed: int,
    n_resamples: int,
    confidence_level: float,
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Chunks of the three tables from metric files, in the order of the files.

    Only the numbers of one model's prompts and one chunk of rows by layer are in memory.

    Args:
        paths: of the metric files, …/{model}/{condition}.parquet.
        prompts: Parquet file of table `prompts_read`.
        scored: metric → how its rows become scores.
        seed: of the bootstrap.
        n_resamples: likewise.
        confidence_level: likewise.
    """
    for path in paths:
        for chunk in read_chunks(path):
            yield "layers", layers_table(chunk)
    settings: dict[str, Any] = {"seed": seed, "n_resamples": n_resamples, "confidence_level": confidence_level}
    for of_model in by_model(paths):
        rows = read_metrics(of_model, pc.field("layer").is_null())
        own = [("model", "in", list(rows["model"].unique()))]
        notes = read_table(prompts, PROMPTS_READ, own, [*PROMPT_OF_MODEL_KEY, *NOTES, *TARGETS])
        yield from _without_layers(rows, notes, scored, **settings).items()


def collect(
    rows: pd.DataFrame, prompts: pd.DataFrame, scored: Scored, *, seed: int, n_resamples: int, confidence_level: float
) -> dict[str, pd.DataFrame]:
    """The three tables from the rows of all metrics (columns of tables.measure, and `metric`).

    Every metric adds its quantities to `layers`; those in `scored` have scores. `prompts` is table `prompts_read`.
    """
    settings: dict[str, Any] = {"seed": seed, "n_resamples": n_resamples, "confidence_level": confidence_level}
    return {"layers": layers_table(rows)} | _without_layers(rows, prompts, scored, **settings)


def _without_layers(
    rows: pd.DataFrame, prompts: pd.DataFrame, scored: Scored, *, seed: int, n_resamples: int, confidence_level: float
) -> dict[str, pd.DataFrame]:
    scores = scores_table(rows, scored, seed=seed, n_resamples=n_resamples, confidence_level=confidence_level)
    targets = prompts.groupby(["model", "prompt_set"])["target"].first().to_dict()
    of_rows = [targets.get((row.model, row.prompt_set)) for row in scores.itertuples()]
    return {
        "prompts": prompts_table(rows, prompts),
        "scores": scores.assign(target=pd.Series(of_rows, scores.index, dtype="str")),
    }


def prompts_table(rows: pd.DataFrame, prompts: pd.DataFrame) -> pd.DataFrame:
    """One row per prompt with every per-prompt score; a metric that the config does not name is empty (NaN).

    Args:
        rows: of the metrics.
        prompts: table `prompts_read`, of which text, kind, difficulty, answer and target are taken.

    Raises:
        StoreError: for a prompt that `prompts` does not name.
    """
    scores = rows[rows.prompt.notna() & rows.layer.isna() & (rows.quantity == rows.metric)]
    keys = list(PROMPT_KEY)
    wide = scores.pivot(index=keys, columns="quantity", values="value").reindex(columns=PER_PROMPT)
    wide = wide.join(scores.drop_duplicates(keys).set_index(keys)[["n_tokens", "loss_nats"]])
    flagged = scores[scores.status != OK].groupby(keys, sort=False).apply(_name_flags, include_groups=False)
    status = flagged.reindex(wide.index) if len(flagged) else pd.Series(None, index=wide.index, dtype="str")
    status = status.fillna(OK).mask(status.isna() & ~np.isfinite(wide.loss_nats), "loss is not finite")
    table = _in_order(wide.assign(status=status).reset_index(), rows)
    return table.assign(**of_prompts(table, prompts, [*NOTES, *TARGETS]))


def scores_table(
    rows: pd.DataFrame, scored: Scored, *, seed: int, n_resamples: int, confidence_level: float
) -> pd.DataFrame:
    """Scores with intervals: means over prompts (BCa bootstrap), and ISF as its own rule computed it (jackknife).

    Prompts whose value is not finite are left out of the mean and counted in the status.
    """
    settings = {"n_resamples": n_resamples, "confidence_level": confidence_level}
    found = []
    rows = rows[rows["metric"].isin(scored)]
    if rows.empty:
        return pd.DataFrame(columns=[*SET_KEY, "metric", "value", "ci_low", "ci_high", "n_prompts", "status"])
    of_sets = [metric for metric, how in scored.items() if how == "set"]
    by_quantity = [metric for metric, how in scored.items() if how == "quantities"]
    rows = rows.assign(metric=rows.metric.where(~rows.metric.isin(by_quantity), rows.quantity))
    for (metric, *keys), group in rows.groupby(["metric", *SET_KEY], sort=False):
        score = (
            _set_score(group, metric)
            if metric in of_sets
            else _mean_score(group, metric, seed_of(seed, metric, *keys), settings)
        )
        found.append({**dict(zip(SET_KEY, keys, strict=True)), "metric": metric, **score})
    return _in_order(pd.DataFrame(found), rows)


def _mean_score(group: pd.DataFrame, metric: str, seed: int, settings: dict) -> dict:
    scores = group[group.prompt.notna() & (group.quantity == metric)]
    good = scores[scores.status == OK]
    interval = mean_interval(good.value.to_numpy(), seed=seed, **settings)
    status = interval.status
    if len(good) < len(scores):
        bad = scores[scores.status != OK].iloc[0]
        status = f"{len(scores) - len(good)} of {len(scores)} prompts left out (first: {bad.prompt}, {bad.status})"
    return {
        "value": interval.value,
        "ci_low": interval.low,
        "ci_high": interval.high,
        "n_prompts": len(good),
        "status": status,
    }


def _set_score(group: pd.DataFrame, metric: str) -> dict:
    whole = group[group["rank"].isna()].set_index("quantity")
    return {
        "value": whole.value[metric],
        "ci_low": whole.value[f"{metric}_ci_low"],
        "ci_high": whole.value[f"{metric}_ci_high"],
        "n_prompts": int(group["rank"].max()),
        "status": whole.status[metric],
    }


def _name_flags(flagged: pd.DataFrame) -> str:
    return "; ".join(f"{quantity}: {status}" for quantity, status in zip(flagged.quantity, flagged.status, strict=True))


def _in_order(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows in the order in which models, sets and prompts first appear, which is the config's."""
    keys = [key for key in PROMPT_KEY if key in table]
    for key in keys:
        table[key] = pd.Categorical(table[key], categories=rows[key].dropna().unique(), ordered=True)
    return table.sort_values(keys, kind="stable").astype(dict.fromkeys(keys, str)).reset_index(drop=True)
