"""The project's tables: their columns with units, and how they are read and written. A contract with the users.

Each is written as CSV and Parquet with the same columns; Parquet fields carry unit and meaning as metadata.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

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
_STATUS = Column(_TEXT, "", "ok, or why a value is missing or to be read with care")
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
        "layer": Column("int64", "block", "block 0..L-1; for gradient_norm the residual position 0..L"),
        "quantity": Column(_TEXT, "", "relative_gradient_change, gradient_cosine or gradient_norm"),
        "value": Column("float64", "1; gradient_norm: nats / residual unit", "the quantity at this layer"),
        "status": _STATUS,
    },
    "isf_spectra": _KEYS
    | {
        "rank": Column("int64", "", "place of the eigenvalue, from 1"),
        "eigenvalue": Column("float64", "(nats / residual unit)^2", "of the covariance of the prompts' gradients"),
        "fitted": Column("float64", "(nats / residual unit)^2", "fitted power law a·k^(-b) at this rank"),
        "status": _STATUS,
    },
    "information": _KEYS
    | {
        "prompt": _PROMPT,
        "layer": Column("int64", "residual", "residual position 0..L; attention_entropy_nats: block 0..L-1"),
        "quantity": Column(
            _TEXT,
            "",
            "at the read position (last token, or [MASK]): entropy_nats, perplexity, margin, kl_uniform_nats, "
            "surprisal_nats (of the answer at a [MASK]; of a causal model's next token, mean over the positions that "
            "have one), attention_entropy_nats (mean over heads), kl_final_nats (of the model's prediction from the "
            "layer's), final_token_rank and final_token_probability (of the model's best token). mean_entropy_nats and "
            "mean_surprisal_nats: mean over positions. settled_layer (one per prompt, at l = L): from which on that "
            "token stays on top",
        ),
        "value": Column("float64", "nats; perplexity, rank: tokens; margin: logits", "the quantity at this residual"),
        "status": _STATUS,
    },
    "predictions": _KEYS
    | {
        "prompt": _PROMPT,
        "Sentence": Column(_TEXT, "", "the prompt's text"),
        "Token": Column(_TEXT, "", "a predicted token: next, or at the [MASK]"),
        "Probability": Column("float64", "1", "its probability at the temperature of the config"),
        "Analysis": Column(_TEXT, "", "standard (baseline) or control (any other condition)"),
        "rank": Column("int64", "", "from 1: by probability, or the order in which tokens were drawn"),
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


def concatenated(paths: Iterable[str | Path]) -> pd.DataFrame:
    """The rows of several Parquet files of one kind, one below the other."""
    return pd.concat([_read(path) for path in paths], ignore_index=True)


def _read(path: str | Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise StoreError(f"cannot be read ({error})", where=str(path), todo="delete it and run again") from error
