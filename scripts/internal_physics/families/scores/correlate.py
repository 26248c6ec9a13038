"""Which metrics move together: tables `prompts` and `scores` in, table `correlations` out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from internal_physics.families.scores.tables import CORRELATIONS
from internal_physics.ground.seeds import seed_of
from internal_physics.ground.status import join_status
from internal_physics.statistics.correlation import FEWEST_PAIRS, correlate_pair, is_constant
from internal_physics.statistics.many_tests import adjust_false_discovery
from internal_physics.statistics.options import N_RESAMPLES

CONDITION = "baseline"
PROMPT_QUANTITIES = ("ec", "isc", "isg", "isa", "loss_nats")
MODEL_METRICS = ("ec", "isc", "isg", "isa", "isf")

# z-scores are of order one: smaller differences are rounding, which would break ties among ranks
# and make a mean of opposite z-scores look as if it varied.
_Z_DECIMALS = 12


@dataclass(frozen=True)
class _Observed:
    """One quantity, standardized: values [observation] and notes on what was left out."""

    values: pd.Series
    notes: tuple[str, ...]


def correlate_metrics(
    prompts: pd.DataFrame,
    scores: pd.DataFrame,
    *,
    seed: int,
    n_resamples: int = N_RESAMPLES,
    quantities: Sequence[str] = PROMPT_QUANTITIES,
    metrics: Sequence[str] = MODEL_METRICS,
) -> pd.DataFrame:
    """Correlate every pair of quantities over prompts, and every pair of metrics over models.

    Level "prompt": each quantity is z-scored within a model over all its prompts, then averaged over the
    models that have a finite value. So a prompt is one observation, however many models ran it (four precisions of a
    model are not four independent observations), and differences between models do not count as differences between
    prompts. Level "model": each score is z-scored within a prompt set over models,
    then averaged over prompt sets: one observation per model. Models that share weights count one each here: keep this
    in mind when reading `n`.

    Only the condition "baseline" is used. A pair's permutations depend only on `seed` and the two names, and the order
    of the rows does not matter.

    Args:
        prompts: table `prompts`, with a numeric column for each of `quantities`.
        scores: table `scores`.
        seed: of the permutations.
        n_resamples: permutations per pair; see `correlate_pair`.
        quantities: columns of `prompts`, at the level "prompt".
        metrics: metrics of `scores`, at the level "model"; one without rows has pairs with the status "absent".

    Returns:
        Table `correlations`: the pairs of each level in the given order, x before y. `p_adjusted` is
        `pearson_p` after Benjamini-Hochberg within the level. `status` names what was left out: values that are missing
        or not finite, and models or prompt sets within which a quantity does not vary.

    Raises:
        KeyError: a column is missing.
        ValueError: a prompt occurs twice for a model, or a model twice for a prompt set and metric.
    """
    by_prompt = _observe_prompts(prompts, quantities)
    by_model = _observe_models(scores, metrics)
    rows = _correlate_level("prompt", by_prompt, seed, n_resamples)
    rows += _correlate_level("model", by_model, seed, n_resamples)
    return pd.DataFrame(rows, columns=list(CORRELATIONS.columns))


def pair_seed(seed: int, x: str, y: str) -> int:
    """Seed of one pair, 0 to 2^64-1, from the run's seed and both names, whatever pairs came before."""
    return seed_of(seed, x, y)


def _observe_prompts(prompts: pd.DataFrame, quantities: Sequence[str]) -> dict[str, _Observed]:
    frame = prompts.loc[prompts["condition"] == CONDITION, ["model", "prompt_set", "prompt", *quantities]]
    _refuse_repeated(frame, ["model", "prompt_set", "prompt"])
    wide = {name: frame.pivot(index=["prompt_set", "prompt"], columns="model", values=name) for name in quantities}
    ran = pd.crosstab(frame["prompt_set"], frame["model"]) > 0
    return {name: _standardize(name, table, _cells(ran, table, "prompt_set")) for name, table in wide.items()}


def _observe_models(scores: pd.DataFrame, metrics: Sequence[str]) -> dict[str, _Observed]:
    frame = scores.loc[scores["condition"] == CONDITION, ["model", "prompt_set", "metric", "value"]]
    _refuse_repeated(frame, ["model", "prompt_set", "metric"])
    models = sorted(frame["model"].unique())
    wide = {
        name: frame[frame["metric"] == name].pivot(index="model", columns="prompt_set", values="value")
        for name in metrics
    }
    ran = pd.crosstab(frame["model"], frame["prompt_set"]) > 0
    tables = {name: table.reindex(models) for name, table in wide.items()}
    return {name: _standardize(name, table, _cells(ran, table, "model")) for name, table in tables.items()}


def _cells(ran: pd.DataFrame, table: pd.DataFrame, level: str) -> np.ndarray:
    """Which cells of a table must hold a value: those of models on prompt sets of their own task."""
    rows = table.index.get_level_values(level)
    return ran.reindex(index=rows, columns=table.columns, fill_value=False).to_numpy(dtype=bool)


def _refuse_repeated(frame: pd.DataFrame, keys: list[str]) -> None:
    repeated = frame[frame.duplicated(keys)]
    if len(repeated):
        named = ", ".join(f"{key} {repeated.iloc[0][key]}" for key in keys)
        raise ValueError(f"{named} occurs twice: expected one row")


def _standardize(name: str, wide: pd.DataFrame, expected: np.ndarray) -> _Observed:
    """z-score each column of a table [observation, model or prompt set], then average over its columns.

    Population standard deviation. A column that does not vary is left out, and so is a cell that is not
    finite; an observation with no cell left is NaN. Both are noted, unless there are too few observations
    to correlate at all. `expected` says which cells must hold a value; the other cells are expected to be empty.
    """
    table = wide.astype("float64")
    table = table.where(np.isfinite(table))
    known = {column: table[column].dropna().to_numpy() for column in table}
    constant = [str(column) for column, values in known.items() if values.size and is_constant(values)]
    varying = table[[column for column, values in known.items() if not is_constant(values)]]
    z_scores = (varying - varying.mean()) / varying.std(ddof=0)
    notes = _notes(name, table, constant, expected) if len(table) >= FEWEST_PAIRS else ()
    return _Observed(z_scores.mean(axis=1).round(_Z_DECIMALS), notes)


def _notes(name: str, table: pd.DataFrame, constant: list[str], expected: np.ndarray) -> tuple[str, ...]:
    if table.shape[1] == 0:
        return (f"{name}: absent",)
    n_missing, n_expected = int((table.isna().to_numpy() & expected).sum()), int(expected.sum())
    missing = (f"{name}: {n_missing} of {n_expected} missing or not finite",) if n_missing else ()
    return missing + ((f"{name}: constant in {', '.join(constant)}, left out",) if constant else ())


def _correlate_level(level: str, observed: dict[str, _Observed], seed: int, n_resamples: int) -> list[dict[str, Any]]:
    rows = [
        {"x": x, "y": y, "level": level} | _correlate(observed[x], observed[y], pair_seed(seed, x, y), n_resamples)
        for x, y in combinations(observed, 2)
    ]
    adjusted = adjust_false_discovery([row["pearson_p"] for row in rows])
    return [row | {"p_adjusted": float(p)} for row, p in zip(rows, adjusted, strict=True)]


def _correlate(x: _Observed, y: _Observed, seed: int, n_resamples: int) -> dict[str, Any]:
    pair = correlate_pair(x.values.to_numpy(), y.values.to_numpy(), seed=seed, n_resamples=n_resamples)
    return asdict(pair) | {"status": join_status(*x.notes, *y.notes, pair.status)}
