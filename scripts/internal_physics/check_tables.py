"""Rule check_tables: every table holds what it promises, or the run fails.

Checked: columns, types and ranges; finite or flagged; every pair of model and prompt present, once.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import pandas as pd
import pandera.pandas as pa

from internal_physics.errors import UserError
from internal_physics.metrics.information import QUANTITIES
from internal_physics.metrics.rows import OK
from internal_physics.tables import TABLES

_AT_LEAST_ZERO, _SHARE, _COSINE = pa.Check.ge(0), pa.Check.in_range(0, 1), pa.Check.in_range(-1, 1)
_RANGES: dict[str, dict[str, pa.Check]] = {
    "scores": {"value": _AT_LEAST_ZERO, "n_prompts": _AT_LEAST_ZERO},
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
    "information": {"layer": _AT_LEAST_ZERO},
    "predictions": {"Probability": _SHARE, "rank": pa.Check.ge(1)},
    "correlations": {
        "pearson_r": _COSINE,
        "spearman_rho": _COSINE,
        "pearson_p": _SHARE,
        "spearman_p": _SHARE,
        "p_adjusted": _SHARE,
    },
}
_POSITIVE = (0, float("inf"))
_QUANTITY_RANGES = {
    "layers": {
        "relative_gradient_change": _POSITIVE,
        "gradient_cosine": (-1, 1),
        "gradient_norm": _POSITIVE,
    },
    "information": dict.fromkeys(QUANTITIES, _POSITIVE)
    | {
        "perplexity": (1, float("inf")),
        "final_token_rank": (1, float("inf")),
        "final_token_probability": (0, 1),
    },
}
# Tables with many rows of each prompt: what tells those apart.
_ROW_KEYS = {"information": ["layer", "quantity"], "predictions": ["rank"]}
# What must be finite in a row that is not flagged; ci_low and ci_high are missing only with a status that says so.
_FINITE = {
    "scores": ["value", "ci_low", "ci_high"],
    "scores_normalized": ["score"],
    "prompts": ["loss_nats"],
    "layers": ["value"],
    "isf_spectra": ["eigenvalue", "fitted"],
    "information": ["value"],
    "predictions": ["Probability"],
    "correlations": ["pearson_r", "pearson_p", "spearman_rho", "spearman_p", "p_adjusted"],
}


def check_tables(
    tables: Mapping[str, pd.DataFrame],
    *,
    models: Sequence[str],
    conditions: Sequence[str],
    metrics: Sequence[str],
    prompts: Mapping[str, Sequence[str]],
) -> list[str]:
    """Check all tables; one line each of what was found.

    Args:
        tables: name → table, as in tables.TABLES.
        models: all that must be there.
        conditions: all that must be there.
        metrics: all that must be there.
        prompts: prompt set → names of its prompts.

    Raises:
        UserError: with every failure found, by table.
    """
    problems = [f"{name}: {problem}" for name, table in tables.items() for problem in _problems(name, table)]
    problems += _missing_pairs(tables, models, conditions, metrics, prompts)
    if problems:
        raise UserError(
            "the tables do not hold what they promise:\n  " + "\n  ".join(problems),
            todo="please report this: it is a bug",
        )
    return [_summary(name, table) for name, table in tables.items()]


def table_schema(name: str) -> pa.DataFrameSchema:
    """The pandera schema of a table: columns in order, types, ranges (missing values are judged by `_unflagged`)."""
    ranges = _RANGES[name]
    columns = {
        column: pa.Column(spec.dtype, ranges.get(column), nullable=spec.dtype == "float64")
        for column, spec in TABLES[name].items()
    }
    return pa.DataFrameSchema(columns, strict=True, ordered=True)


def _problems(name: str, table: pd.DataFrame) -> list[str]:
    try:
        table_schema(name).validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
        return [f"{c.column}: {c.check} fails for {c.failure_case!r}" for c in cases.itertuples()]
    return _unflagged(name, table) + _quantity_problems(table, _QUANTITY_RANGES.get(name, {}))


def _unflagged(name: str, table: pd.DataFrame) -> list[str]:
    """Values that are not finite in rows that claim to be ok."""
    ok = table[table.status == OK]
    bad = [
        column
        for column in _FINITE[name]
        if not ok[column].map(pd.notna).all() or ok[column].isin([float("inf")]).any()
    ]
    return [f"{column}: not finite in a row with status ok" for column in bad]


def _quantity_problems(table: pd.DataFrame, ranges: Mapping[str, tuple[float, float]]) -> list[str]:
    """Quantities that no range is known for, and values outside theirs."""
    if not ranges:
        return []
    ok = table[table.status == OK]
    problems = [f"unknown quantity {q!r}" for q in sorted(set(table.quantity) - set(ranges))]
    for quantity, (low, high) in ranges.items():
        values = ok.value[ok.quantity == quantity]
        if not values.between(low, high).all():
            problems.append(f"{quantity} outside [{low}, {high}]")
    return problems


def _missing_pairs(
    tables: Mapping[str, pd.DataFrame],
    models: Sequence[str],
    conditions: Sequence[str],
    metrics: Sequence[str],
    prompts: Mapping[str, Sequence[str]],
) -> list[str]:
    pairs = [(m, c, s, p) for m, c in product(models, conditions) for s, names in prompts.items() for p in names]
    scores = list(product(models, conditions, prompts, metrics))
    keys = ["model", "condition", "prompt_set"]
    per_prompt = set(metrics) - {"isf"}
    return [
        *(_missing("prompts", tables["prompts"], [*keys, "prompt"], pairs) if per_prompt else []),
        *_missing("scores", tables["scores"], [*keys, "metric"], scores),
        *_missing("scores_normalized", tables["scores_normalized"], [*keys, "metric"], scores),
        *[
            problem
            for name, among in _ROW_KEYS.items()
            if name in tables
            for problem in _missing_prompts(name, tables[name], keys, [*keys, "prompt", *among], pairs)
        ],
    ]


def _missing(name: str, table: pd.DataFrame, keys: list[str], expected: list[tuple]) -> list[str]:
    found = list(table[keys].itertuples(index=False, name=None))
    missing = [key for key in expected if key not in set(found)]
    problems = [f"{name}: no row for {' / '.join(key)}" for key in missing]
    return problems + (
        [f"{name}: {len(found) - len(set(found))} repeated rows"] if len(found) > len(set(found)) else []
    )


def _missing_prompts(
    name: str, table: pd.DataFrame, keys: list[str], among: list[str], pairs: list[tuple]
) -> list[str]:
    """Prompts without a row in a table that has many of each, and rows that occur twice."""
    problems = _missing(name, table.drop_duplicates([*keys, "prompt"]), [*keys, "prompt"], pairs)
    repeated = int(table.duplicated(among).sum())
    return problems + ([f"{name}: {repeated} repeated rows"] if repeated else [])


def _summary(name: str, table: pd.DataFrame) -> str:
    flagged = int((table.status != OK).sum())
    return f"{name}: {len(table)} rows, {flagged} with a status other than ok"
