"""Rule check_tables: every table holds what it promises, or the run fails.

Checked: columns, types and ranges; finite or flagged; every pair of model and prompt present, once.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
import pandera.pandas as pa

from internal_physics import check_thermodynamics as of_weights
from internal_physics.errors import UserError
from internal_physics.metrics import GRADIENT_FLOW, RESIDUAL_GAIN, THERMODYNAMICS, score_names
from internal_physics.metrics.information import QUANTITIES, WATCHED
from internal_physics.metrics.residual_gain import VARIANTS
from internal_physics.metrics.rows import OK
from internal_physics.tables import NULLABLE, TABLES

_AT_LEAST_ZERO, _SHARE, _COSINE = pa.Check.ge(0), pa.Check.in_range(0, 1), pa.Check.in_range(-1, 1)
_RANGES: dict[str, dict[str, pa.Check]] = {
    "scores": {"n_prompts": _AT_LEAST_ZERO},
    "scores_normalized": {"score": _SHARE},
    "prompts": {
        "n_tokens": pa.Check.ge(2),
        "loss_nats": _AT_LEAST_ZERO,
        "ec": _AT_LEAST_ZERO,
        "isc": _AT_LEAST_ZERO,
    }
    | {"isg": _AT_LEAST_ZERO, "isa": _SHARE},
    "layers": {"layer": _AT_LEAST_ZERO},
    "isf_spectra": {"rank": pa.Check.ge(1), "eigenvalue": _AT_LEAST_ZERO},
    "comparisons": {"layer": _AT_LEAST_ZERO, "n_prompts": _AT_LEAST_ZERO},
    "information": {"layer": _AT_LEAST_ZERO},
    "predictions": {"Probability": _SHARE, "rank": pa.Check.ge(1)},
    "gains": {"last_gain": _AT_LEAST_ZERO, "entropy_nats": _AT_LEAST_ZERO, "variant": pa.Check.isin(VARIANTS)},
    "hypotheses": {"n": _AT_LEAST_ZERO, "p": _SHARE, "p_adjusted": _SHARE, "p_parametric": _SHARE},
    "correlations": {
        "pearson_r": _COSINE,
        "spearman_rho": _COSINE,
        "pearson_p": _SHARE,
        "spearman_p": _SHARE,
        "p_adjusted": _SHARE,
    },
} | of_weights.RANGES
_POSITIVE = (0, float("inf"))
_QUANTITY_RANGES = {
    "layers": {"relative_gradient_change": _POSITIVE, "gradient_cosine": (-1, 1), "gradient_norm": _POSITIVE}
    | {f"residual_{what}_{variant}": _POSITIVE for what in ("norm", "gain") for variant in VARIANTS},
    "information": dict.fromkeys(QUANTITIES, _POSITIVE)
    | {
        "perplexity": (1, float("inf")),
        "final_token_rank": (1, float("inf")),
        "final_token_probability": (0, 1),
    },
}
Run = tuple[str, str, Sequence[str]]
_PER_PROMPT, _WITH_LAYERS = ("ec", "isc", "isg", "isa"), ("ec", "isc", "isa", RESIDUAL_GAIN)
_SET = ["model", "condition", "prompt_set"]
# The columns that no two rows share.
_KEYS = {
    "scores": [*_SET, "metric"],
    "scores_normalized": [*_SET, "metric"],
    "prompts": [*_SET, "prompt"],
    "layers": [*_SET, "prompt", "layer", "quantity"],
    "isf_spectra": [*_SET, "rank"],
    "comparisons": [*_SET, "metric", "quantity", "layer", "measure"],
    "correlations": ["x", "y", "level"],
    "gains": [*_SET, "prompt", "variant"],
    "hypotheses": [*_SET, "variant", "hypothesis", "x", "y", "statistic"],
    "information": [*_SET, "prompt", "layer", "quantity"],
    "predictions": [*_SET, "prompt", "rank"],
} | of_weights.UNIQUE
_SHOWN = 20  # problems listed in the message
# What must be finite in a row that is not flagged; ci_low and ci_high are missing only with a status that says so.
_FINITE = {
    "scores": ["value", "ci_low", "ci_high"],
    "scores_normalized": ["score"],
    "prompts": ["loss_nats"],
    "layers": ["value"],
    "isf_spectra": ["eigenvalue", "fitted"],
    "comparisons": ["value", "ci_low", "ci_high"],
    "information": ["value"],
    "predictions": ["Probability"],
    "gains": ["last_gain", "log_cumulative_gain", "entropy_nats"],
    "hypotheses": ["value", "ci_low", "ci_high"],
    "correlations": ["pearson_r", "pearson_p", "spearman_rho", "spearman_p", "p_adjusted"],
} | of_weights.FINITE


def check_tables(
    tables: Mapping[str, pd.DataFrame],
    *,
    metrics: Sequence[str],
    prompts: Mapping[str, Sequence[str]],
    models: Sequence[str] = (),
    conditions: Sequence[str] = ("baseline",),
    runs: Sequence[Run] | None = None,
) -> list[str]:
    """Check all tables; one line each of what was found.

    Args:
        tables: name → table, as in tables.TABLES; some only where their metric or a condition was asked for.
        metrics: all that must be there.
        prompts: prompt set → names of its prompts.
        models: all that must be there, on every prompt set.
        conditions: all that must be there, for every model.
        runs: instead of these two: model, condition, and the names of the prompt sets that must be there.

    Raises:
        UserError: with every failure found, by table.
    """
    problems = [f"{name}: {problem}" for name, table in tables.items() for problem in _problems(name, table)]
    runs = [(m, c, list(prompts)) for m, c in product(models, conditions)] if runs is None else runs
    problems = problems or _config_problems(tables, runs, metrics, prompts)
    if problems:
        more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        raise UserError(
            "the tables do not hold what they promise:\n  " + "\n  ".join(problems[:_SHOWN] + more),
            todo="please report this: it is a bug",
        )
    return [_summary(name, table) for name, table in tables.items()]


def table_schema(name: str) -> pa.DataFrameSchema:
    """The pandera schema of a table: columns in order, types, ranges (missing values are judged by `_unflagged`)."""
    ranges = _RANGES[name]
    columns = {
        column: pa.Column(spec.dtype, ranges.get(column), nullable=spec.dtype in NULLABLE)
        for column, spec in TABLES[name].items()
    }
    return pa.DataFrameSchema(columns, strict=True, ordered=True)


def _problems(name: str, table: pd.DataFrame) -> list[str]:
    try:
        table_schema(name).validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
        return [f"{c.column}: {c.check} fails for {c.failure_case!r}" for c in cases.itertuples()]
    n_repeated = int(table.duplicated(_KEYS[name]).sum())
    repeated = [f"{n_repeated} repeated rows"] if n_repeated else []
    unflagged = _unflagged(table, _FINITE[name]) + of_weights.problems_under_own_status(name, table)
    quantities = _quantity_problems(name, table)
    return repeated + unflagged + quantities + (_score_problems(table) if name == "scores" else [])


def _unflagged(table: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Values that are not finite in rows that claim to be ok."""
    ok = table[table.status == OK]
    bad = [column for column in columns if not np.isfinite(ok[column]).all()]
    return [f"{column}: not finite in a row with status ok" for column in bad]


def _score_problems(table: pd.DataFrame) -> list[str]:
    """The benchmark's metrics are zero or more; a free energy need not be."""
    negative = table[table.metric.isin(GRADIENT_FLOW) & (table.value < 0)]
    return [f"value: {row.metric} is {row.value}, expected zero or more" for row in negative.itertuples()]


def _quantity_problems(name: str, table: pd.DataFrame) -> list[str]:
    """Quantities that no range is known for, and values outside theirs."""
    if name not in _QUANTITY_RANGES:
        return []
    ranges = dict(_QUANTITY_RANGES[name])
    if name == "information":
        ranges |= {quantity: (0, 1) for quantity in set(table.quantity) if quantity.startswith(WATCHED)}
    ok = table[table.status == OK]
    problems = [f"unknown quantity {q!r}" for q in sorted(set(table.quantity) - set(ranges))]
    for quantity, (low, high) in ranges.items():
        values = ok.value[ok.quantity == quantity]
        if not values.between(low, high).all():
            problems.append(f"{quantity} outside [{low}, {high}]")
    return problems


def _config_problems(
    tables: Mapping[str, pd.DataFrame],
    runs: Sequence[Run],
    metrics: Sequence[str],
    prompts: Mapping[str, Sequence[str]],
) -> list[str]:
    """Where sound tables are not those of the config: a metric without values, a row too few or too many."""
    asked_for = [metric for metric in metrics if metric in _PER_PROMPT]
    problems = [f"prompts: {problem}" for problem in _unflagged(tables["prompts"], asked_for)]
    for name, (columns, rows) in _expected_rows(runs, metrics, prompts).items():
        problems += _row_problems(name, _without_kinds(tables[name]), columns, rows) if name in tables else []
    if "thermodynamics" in metrics:
        pairs = [(m, c, s, p) for m, c, sets in runs for s in sets for p in prompts[s]]
        problems += of_weights.missing_weights(tables, pairs)
    return problems


def _without_kinds(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out scores by kind of map (temperature_query): which kinds there are is the model's affair."""
    prefixes = tuple(f"{score}_" for score in THERMODYNAMICS)
    return table[~table.metric.str.startswith(prefixes)] if "metric" in table else table


def _expected_rows(
    runs: Sequence[Run], metrics: Sequence[str], prompts: Mapping[str, Sequence[str]]
) -> dict[str, tuple[list[str], list[tuple]]]:
    """Table → the columns that say what a row is of, and all that must be there."""
    sets = [(model, condition, name) for model, condition, names in runs for name in names]
    pairs = [(*of_set, prompt) for of_set in sets for prompt in prompts[of_set[-1]]]
    scores = [(*of_set, metric) for of_set in sets for metric in score_names(metrics)]
    benchmark = [(*of_set, metric) for of_set in sets for metric in metrics if metric in GRADIENT_FLOW]
    ranks = [(*of_set, rank) for of_set in sets for rank in range(1, len(prompts[of_set[-1]]) + 1)]
    expected = {
        "scores": ([*_SET, "metric"], scores),
        "scores_normalized": ([*_SET, "metric"], benchmark),
        "prompts": ([*_SET, "prompt"], pairs if set(metrics) & set(_PER_PROMPT) else []),
        "layers": ([*_SET, "prompt"], pairs if set(metrics) & set(_WITH_LAYERS) else []),
        "isf_spectra": ([*_SET, "rank"], ranks if "isf" in metrics else []),
        "information": ([*_SET, "prompt"], pairs),
        "predictions": ([*_SET, "prompt"], pairs),
    }
    if RESIDUAL_GAIN in metrics:
        expected["gains"] = [*_SET, "prompt", "variant"], [(*pair, variant) for pair in pairs for variant in VARIANTS]
        of_runs = [(model, condition, variant) for model, condition, _ in runs for variant in VARIANTS]
        expected["hypotheses"] = ["model", "condition", "variant"], of_runs
    return expected


def _row_problems(name: str, table: pd.DataFrame, columns: list[str], expected: list[tuple]) -> list[str]:
    """Rows that are missing, and rows that nothing in the config accounts for."""
    found = set(table[columns].itertuples(index=False, name=None))
    missing = [key for key in expected if key not in found]
    strange = sorted(found - set(expected), key=str)
    texts = [f"{name}: no row for {_shown(key)}" for key in missing]
    return texts + [f"{name}: unexpected row for {_shown(key)}" for key in strange]


def _shown(key: tuple) -> str:
    return " / ".join(map(str, key))


def _summary(name: str, table: pd.DataFrame) -> str:
    flagged = int((table.status != OK).sum())
    return f"{name}: {len(table)} rows, {flagged} with a status other than ok"
