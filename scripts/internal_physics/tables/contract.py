"""The project's tables: their columns with units, and how they are read and written. A contract with the users.

Each is written as CSV and Parquet with the same columns; Parquet fields carry unit and meaning as metadata.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from internal_physics.families.comparison.tables import COMPARISON_TABLES
from internal_physics.families.information.tables import INFORMATION_TABLES
from internal_physics.families.residual_gain.tables import RESIDUAL_GAIN_TABLES
from internal_physics.families.thermodynamics.tables import PUBLISHED_COLUMNS, THERMODYNAMICS_TABLES
from internal_physics.ground.errors import StoreError
from internal_physics.ground.files import whole_file
from internal_physics.tables.columns import KEYS, PROMPT, STATUS, TEXT, Column

_METRIC = Column(TEXT, "", "ec, isc, isg, isa, isf, or a median over the weights such as temperature_query")
NULLABLE = ("float64", "Int64", "boolean")  # types of columns that may be empty, as their meaning or the status says
# Which rows are read, as pyarrow takes it; row groups that can hold none are skipped by their statistics.
Filters = pc.Expression | list[tuple[str, str, Any]] | None

TABLES: dict[str, dict[str, Column]] = {
    "scores": KEYS
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
        "status": STATUS,
    },
    "scores_normalized": KEYS
    | {
        "metric": _METRIC,
        "score": Column(
            "float64",
            "0 to 1",
            "min-max over models of 1/(value + 1e-9); larger is better, 0.5 where all are equal",
        ),
        "n_prompts": Column("int64", "prompts", "prompts that the score's value rests on"),
        "status": STATUS,
    },
    "prompts": KEYS
    | {
        "prompt": PROMPT,
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
        "status": STATUS,
    },
    "layers": KEYS
    | {
        "prompt": PROMPT,
        "layer": Column(
            "int64", "block", "block 0..L-1; for gradient_norm and residual_norm the residual position 0..L"
        ),
        "quantity": Column(
            TEXT,
            "",
            "relative_gradient_change, gradient_cosine, gradient_norm, and residual_norm_ and residual_gain_ with "
            "whole, last_position or excluding_first",
        ),
        "value": Column(
            "float64",
            "1; gradient_norm: nats / residual unit; residual_norm: residual unit",
            "the quantity at this layer",
        ),
        "status": STATUS,
    },
    "isf_spectra": KEYS
    | {
        "rank": Column("int64", "", "place of the eigenvalue, from 1"),
        "eigenvalue": Column("float64", "(nats / residual unit)^2", "of the covariance of the prompts' gradients"),
        "fitted": Column("float64", "(nats / residual unit)^2", "fitted power law a·k^(-b) at this rank"),
        "status": STATUS,
    },
    "correlations": {
        "x": Column(TEXT, "", "first quantity"),
        "y": Column(TEXT, "", "second quantity"),
        "level": Column(TEXT, "", "prompt: one observation per prompt; model: one per model"),
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
        "status": STATUS,
    },
    **COMPARISON_TABLES,
    **INFORMATION_TABLES,
    **RESIDUAL_GAIN_TABLES,
    **THERMODYNAMICS_TABLES,
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
    with whole_file(csv) as temporary:
        table.to_csv(temporary, index=False)
    with whole_file(parquet) as temporary:
        pq.write_table(to_arrow(table, name), temporary, compression="zstd")


def to_arrow(table: pd.DataFrame, name: str) -> pa.Table:
    """A table that conforms, with unit and meaning in the metadata of each field."""
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    for i, (column, spec) in enumerate(TABLES[name].items()):
        arrow = arrow.set_column(
            i,
            arrow.field(column).with_metadata({"unit": spec.unit, "meaning": spec.meaning}),
            arrow.column(column),
        )
    return arrow


def read_table(path: str | Path, name: str, filters: Filters = None) -> pd.DataFrame:
    """Read a table of the contract from Parquet, all rows or some, checking its columns.

    Raises:
        StoreError: if the file is missing, damaged or of other columns; the error names it.
    """
    return conform(_read(path, filters=filters), name)


def write_metric(rows: pd.DataFrame, path: str | Path) -> None:
    """Write one metric's tidy rows (see metrics.table) to Parquet."""
    write_rows(rows, path)


def read_metrics(paths: Sequence[str], filters: Filters = None) -> pd.DataFrame:
    """The rows of several metric files, one below the other, with a column `metric` from each file's folder.

    Args:
        paths: of the files.
        filters: which rows.

    Raises:
        StoreError: if a file is missing or damaged; the error names it.
    """
    frames = [_read(path, filters=filters).assign(metric=metric_of(path)) for path in paths]
    return pd.concat(frames, ignore_index=True)


def metric_of(path: str | Path) -> str:
    """The metric that a file results/metrics/{metric}/{model}/{condition}.parquet is of."""
    return Path(path).parts[-3]


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Have an error of Parquet's reader name the file.

    Raises:
        StoreError: if the file is missing or damaged.
    """
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        raise StoreError(f"cannot be read ({error})", where=str(path), todo="delete it and run again") from error


def _read(path: str | Path, **which: Any) -> pd.DataFrame:
    with reading(path):
        return pd.read_parquet(path, **which)


def write_rows(rows: pd.DataFrame, path: str | Path) -> None:
    """Write rows between two rules (spectra with their lists of singular values, states, phases) to Parquet."""
    with whole_file(path) as temporary:
        rows.to_parquet(temporary, index=False, compression="zstd")


def read_rows(*paths: str | Path) -> pd.DataFrame:
    """The rows of several files that `write_rows` wrote, one below the other.

    Raises:
        StoreError: naming the file that cannot be read.
    """
    return pd.concat([_read(path) for path in paths], ignore_index=True)


def published_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of table `thermodynamics` under the published script's column names.

    Those 19 columns come first, in its order; condition, prompt_set and prompt follow, since there is a row per prompt
    and weight. Rows of a prompt are sorted by name as text.
    """
    keys = ["condition", "prompt_set", "prompt"]
    columns = {name: table[ours] for name, ours in PUBLISHED_COLUMNS.items()}
    renamed = pd.DataFrame(columns | {key: table[key] for key in keys})
    place = table.groupby(keys, sort=False).ngroup()
    return renamed.assign(place=place).sort_values(["place", "name"], kind="stable").drop(columns="place")
