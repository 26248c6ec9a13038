"""Rule check_tables: every table holds what it promises, or the run fails.

Checked: columns, types and ranges; finite or flagged; every pair of model and prompt present, once.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from internal_physics.families.information.rows import QUANTITIES, WATCHED
from internal_physics.families.residual_gain.residual_gain import VARIANTS
from internal_physics.families.scores.names import GRADIENT_FLOW
from internal_physics.families.thermodynamics import check as of_weights
from internal_physics.ground.errors import UserError
from internal_physics.ground.status import OK
from internal_physics.tables.contract import NULLABLE, TABLES
from internal_physics.tables.parts import table_parts
from internal_physics.tables.presence import Presence, Run, group_columns

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
_PER_PROMPT = ("ec", "isc", "isg", "isa")
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
    tables: Mapping[str, pd.DataFrame | Iterable[pd.DataFrame]],
    *,
    metrics: Sequence[str],
    prompts: Mapping[str, Sequence[str]],
    models: Sequence[str] = (),
    conditions: Sequence[str] = ("baseline",),
    runs: Sequence[Run] | None = None,
) -> list[str]:
    """Check all tables; one line each of what was found.

    Args:
        tables: name → table, whole or in parts (see table_parts; rows of a prompt set, model and condition are in one),
            as in tables.TABLES; some only where their metric or a condition was asked for.
        metrics: all that must be there.
        prompts: prompt set → names of its prompts.
        models: all that must be there, on every prompt set.
        conditions: all that must be there, for every model.
        runs: instead of these two: model, condition, and the names of the prompt sets that must be there.

    Raises:
        UserError: with every failure found, by table.
    """
    runs = [(m, c, list(prompts)) for m, c in product(models, conditions)] if runs is None else runs
    presence = Presence(runs, metrics, prompts)
    problems, of_config, lines = [], [], {}
    for name in sorted(tables, key=lambda name: name != "spectra"):
        n_rows = n_flagged = 0
        for part in [tables[name]] if isinstance(tables[name], pd.DataFrame) else tables[name]:
            problems += [f"{name}: {problem}" for problem in _problems(name, part)]
            if not problems:
                of_config += [f"{name}: {problem}" for problem in _asked_for_problems(name, part, metrics)]
                of_config += presence.check(name, part)
            n_rows, n_flagged = n_rows + len(part), n_flagged + int((part.status != OK).sum())
        of_config += presence.finish(name)
        lines[name] = f"{name}: {n_rows} rows, {n_flagged} with a status other than ok"
    problems = problems or of_config
    if problems:
        more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        raise UserError(
            "the tables do not hold what they promise:\n  " + "\n  ".join(problems[:_SHOWN] + more),
            todo="please report this: it is a bug",
        )
    return [lines[name] for name in tables]


def parts_of(inputs: Any) -> dict[str, Iterable[pd.DataFrame]]:
    """Every table of the contract among a rule's named inputs, in parts: a large one is never whole in memory."""
    names = [name for name in TABLES if name in inputs.keys()]  # noqa: SIM118
    return {name: table_parts(inputs[name], name, group_columns(name)) for name in names}


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


def _asked_for_problems(name: str, part: pd.DataFrame, metrics: Sequence[str]) -> list[str]:
    """A metric of the config without values: prompts are not flagged where nobody asked for a number."""
    asked_for = [metric for metric in metrics if metric in _PER_PROMPT]
    return _unflagged(part, asked_for) if name == "prompts" else []
