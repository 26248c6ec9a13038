"""The project's tables: their columns with units, and how they are read and written. A contract with the users.

Each is written as CSV and Parquet with the same columns; Parquet fields carry unit and meaning as metadata.
"""

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from internal_physics.errors import StoreError


class Column(NamedTuple):
    """Type, unit and meaning of one column."""

    dtype: str
    unit: str
    meaning: str


_TEXT = "str"
_MODEL = Column(_TEXT, "", "named model of the config")
_CONDITION = Column(_TEXT, "", "baseline, or a steering intervention")
_PROMPT_SET = Column(_TEXT, "", "named prompt set of the config")
_PROMPT = Column(_TEXT, "", "name of the prompt in its set")
_METRIC = Column(_TEXT, "", "ec, isc, isg, isa or isf")
_VARIANT = Column(
    _TEXT,
    "",
    "positions that the norm runs over: whole (all), last_position (where the prediction is read) or excluding_first",
)
_STATUS = Column(_TEXT, "", "ok, or why a value is missing or to be read with care")
_LAYER = Column("Int64", "block", "block or residual position, as in `layers`; empty for a number of the whole prompt")
NULLABLE = ("float64", "Int64", "boolean")  # types of columns that may be empty, as their meaning or the status says
_KEYS = {"model": _MODEL, "condition": _CONDITION, "prompt_set": _PROMPT_SET}

TABLES: dict[str, dict[str, Column]] = {
    "scores": _KEYS
    | {
        "metric": _METRIC,
        "value": Column("float64", "see metric", "mean over the prompts of the set; ISF is one number of the set"),
        "ci_low": Column(
            "float64",
            "as value",
            "lower end of the interval over prompts (ISF: jackknife, others: BCa bootstrap)",
        ),
        "ci_high": Column("float64", "as value", "upper end of the interval"),
        "n_prompts": Column("int64", "prompts", "prompts that the value rests on"),
        "status": _STATUS,
    },
    "scores_normalized": _KEYS
    | {
        "metric": _METRIC,
        "score": Column(
            "float64",
            "0 to 1",
            "min-max over models of 1/(value + 1e-9); larger is better, 0.5 where all are equal",
        ),
        "status": _STATUS,
    },
    "prompts": _KEYS
    | {
        "prompt": _PROMPT,
        "n_tokens": Column("int64", "tokens", "length of the prompt as the model reads it"),
        "loss_nats": Column(
            "float64",
            "nats per predicted token",
            "mean negative log-likelihood, the loss whose gradient is recorded",
        ),
        "ec": Column("float64", "1", "mean relative change of the gradient over blocks"),
        "isc": Column("float64", "1 / residual unit", "sum over blocks of the gradient norm, per nat of loss"),
        "isg": Column("float64", "1", "coefficient of variation over blocks of the relative change"),
        "isa": Column("float64", "1", "standard deviation over blocks of the gradient cosine"),
        "status": _STATUS,
    },
    "layers": _KEYS
    | {
        "prompt": _PROMPT,
        "layer": Column(
            "int64", "block", "block 0..L-1; for gradient_norm and residual_norm the residual position 0..L"
        ),
        "quantity": Column(
            _TEXT,
            "",
            "relative_gradient_change, gradient_cosine, gradient_norm, and residual_norm_ and residual_gain_ with "
            "whole, last_position or excluding_first",
        ),
        "value": Column(
            "float64",
            "1; gradient_norm: nats / residual unit; residual_norm: residual unit",
            "the quantity at this layer",
        ),
        "status": _STATUS,
    },
    "isf_spectra": _KEYS
    | {
        "rank": Column("int64", "", "place of the eigenvalue, from 1"),
        "eigenvalue": Column("float64", "(nats / residual unit)^2", "of the covariance of the prompts' gradients"),
        "fitted": Column("float64", "(nats / residual unit)^2", "fitted power law a·k^(-b) at this rank"),
        "status": _STATUS,
    },
    "comparisons": _KEYS
    | {
        "metric": Column(_TEXT, "", "the metric that the quantity belongs to, or loss"),
        "quantity": Column(_TEXT, "", "the metric's score, a quantity along depth, or loss_nats"),
        "layer": _LAYER,
        "measure": Column(_TEXT, "", "difference, absolute_difference or percent_change against the baseline"),
        "baseline": Column("float64", "see metric", "mean over prompts in the baseline"),
        "steered": Column("float64", "see metric", "mean over the same prompts in the condition"),
        "value": Column(
            "float64",
            "see metric; percent",
            "mean difference, mean absolute difference, or difference of the means in percent of the baseline's size",
        ),
        "ci_low": Column("float64", "as value", "lower end of the paired BCa bootstrap interval over prompts"),
        "ci_high": Column("float64", "as value", "upper end of the interval"),
        "n_prompts": Column("int64", "prompts", "prompts that have the number in both"),
        "status": _STATUS,
    },
    "gains": _KEYS
    | {
        "prompt": _PROMPT,
        "kind": Column(_TEXT, "", "kind of the prompt, as its prompt set says, or 'not given'"),
        "difficulty": Column(_TEXT, "", "difficulty of the prompt, as its prompt set says, or 'not given'"),
        "variant": _VARIANT,
        "last_gain": Column("float64", "1", "‖residual[L]‖ / ‖residual[L-1]‖, before the final norm"),
        "log_cumulative_gain": Column("float64", "1", "natural logarithm of the product of all blocks' gains"),
        "expands": Column("boolean", "", "whether the last gain is above 1; empty where it is unknown"),
        "entropy_nats": Column("float64", "nats", "Shannon entropy of the predicted next token"),
        "top_tokens": Column(_TEXT, "", "the five most probable next tokens with probabilities, as JSON"),
        "status": _STATUS,
    },
    "hypotheses": {
        "model": _MODEL,
        "condition": _CONDITION,
        "prompt_set": Column(_TEXT, "", "a prompt set, or 'all sets': all prompts together, each text once"),
        "variant": _VARIANT,
        "hypothesis": Column(_TEXT, "", "entropy_gain, contraction, nested_grammar or contrast"),
        "x": Column(_TEXT, "", "first quantity or kind of prompt"),
        "y": Column(_TEXT, "", "second quantity or kind; neutral (gain 1) for contraction"),
        "statistic": Column(_TEXT, "", "pearson_r, spearman_rho, mean_last_gain, ratio_of_means or cliffs_delta"),
        "value": Column("float64", "1", "the statistic; of contrasts above 0 where the last gain of x is higher"),
        "ci_low": Column("float64", "1", "lower end of the bootstrap interval over prompts (BCa)"),
        "ci_high": Column("float64", "1", "upper end of the interval"),
        "n": Column("int64", "prompts", "prompts that the row rests on"),
        "n_x": Column("int64", "prompts", "of them, with a value of x"),
        "n_y": Column("int64", "prompts", "of them, with a value of y"),
        "p": Column("float64", "1", "two-sided permutation p-value; contraction is judged by its interval alone"),
        "p_adjusted": Column(
            "float64",
            "1",
            "p adjusted for the false-discovery rate (Benjamini-Hochberg) over all models, variants and pairs of one "
            "hypothesis and statistic; 'all sets' apart from single sets",
        ),
        "p_parametric": Column("float64", "1", "two-sided p-value by Student's t, which the published rule takes"),
        "verdict_published": Column(
            _TEXT,
            "",
            "entropy_gain: supported if r > 0.5 and p_parametric < 0.1, inverse if r < -0.5 and p_parametric < 0.1, "
            "else inconclusive; contraction: mean below 1; nested_grammar: supported if both kinds contract and the "
            "ratio is within 0.3 of 1",
        ),
        "verdict": Column(
            _TEXT,
            "",
            "entropy_gain and contrast: p_adjusted < 0.05 and an interval that excludes 0; contraction: an interval on "
            "one side of 1; nested_grammar: both contract and the ratio's interval lies within 0.3 of 1",
        ),
        "status": _STATUS,
    },
    "correlations": {
        "x": Column(_TEXT, "", "first quantity"),
        "y": Column(_TEXT, "", "second quantity"),
        "level": Column(_TEXT, "", "prompt: one observation per prompt; model: one per model"),
        "n": Column("int64", "observations", "pairs the correlation rests on"),
        "pearson_r": Column("float64", "1", "Pearson correlation"),
        "pearson_p": Column("float64", "1", "two-sided permutation p-value of pearson_r"),
        "spearman_rho": Column("float64", "1", "Spearman rank correlation"),
        "spearman_p": Column("float64", "1", "two-sided permutation p-value of spearman_rho"),
        "p_adjusted": Column(
            "float64",
            "1",
            "pearson_p adjusted within its level for the false-discovery rate (Benjamini-Hochberg)",
        ),
        "status": _STATUS,
    },
}


def conform(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """The table with exactly the contract's columns, in order and type.

    Raises:
        StoreError: naming missing or unknown columns.
    """
    columns = TABLES[name]
    missing, extra = [c for c in columns if c not in table], [c for c in table if c not in columns]
    if missing or extra:
        raise StoreError(
            f"table {name}: missing columns {missing}, unknown columns {extra}", expected=", ".join(columns)
        )
    return table[list(columns)].astype({c: column.dtype for c, column in columns.items()}).reset_index(drop=True)


def write_table(table: pd.DataFrame, name: str, *, csv: str | Path, parquet: str | Path) -> None:
    """Write one table of the contract as CSV and as Parquet."""
    table = conform(table, name)
    table.to_csv(csv, index=False)
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    for i, (column, spec) in enumerate(TABLES[name].items()):
        arrow = arrow.set_column(
            i,
            arrow.field(column).with_metadata({"unit": spec.unit, "meaning": spec.meaning}),
            arrow.column(column),
        )
    pq.write_table(arrow, parquet, compression="zstd")


def read_table(path: str | Path, name: str) -> pd.DataFrame:
    """Read a table of the contract from Parquet, checking its columns.

    Raises:
        StoreError: if the file is missing, damaged or of other columns; the error names it.
    """
    return conform(_read(path), name)


def read_tables(inputs: Any) -> dict[str, pd.DataFrame]:
    """Every table of the contract among a rule's named inputs; a run may have been asked for fewer than all."""
    return {name: read_table(inputs[name], name) for name in TABLES if name in inputs.keys()}  # noqa: SIM118


def write_metric(rows: pd.DataFrame, path: str | Path) -> None:
    """Write one metric's tidy rows (see metrics.table) to Parquet."""
    rows.to_parquet(path, index=False, compression="zstd")


def read_metrics(paths: list[str]) -> pd.DataFrame:
    """The rows of several metric files, one below the other, with a column `metric` from each file's folder.

    Raises:
        StoreError: if a file is missing or damaged; the error names it.
    """
    frames = [_read(path).assign(metric=Path(path).parts[-3]) for path in paths]
    return pd.concat(frames, ignore_index=True)


def _read(path: str | Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise StoreError(f"cannot be read ({error})", where=str(path), todo="delete it and run again") from error
