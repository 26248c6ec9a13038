"""Which rows a figure shows, and the sentences on those that it leaves out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from internal_physics.ground.words import plural

MAX_REASONS = 5


@dataclass(frozen=True)
class Selection:
    """The rows of one figure.

    Attributes:
        usable: rows whose values are all finite, with status "ok" unless flagged ones were asked for.
        left_out: the others; their `status` is never "ok".
        models: every model of the whole table, in the order that fixes their colors and places.
    """

    usable: pd.DataFrame
    left_out: pd.DataFrame
    models: tuple[str, ...]


def select(
    table: pd.DataFrame,
    prompt_set: str,
    condition: str,
    *,
    values: Sequence[str],
    models: Sequence[str] | None = None,
    show_flagged: bool = False,
) -> Selection:
    """Take the rows of one prompt set and condition, and separate those that cannot be shown.

    Args:
        table: with columns model, condition, prompt_set, status and `values`.
        prompt_set: one of the table's.
        condition: one of the table's.
        values: columns that must be finite. A row that says "ok" and is not finite counts as left out.
        models: the order of the models; sorted by name when not given.
        show_flagged: whether a finite value counts as usable although its status is not "ok".

    Raises:
        ValueError: a column is missing, the table has no rows for the prompt set and condition, or `models`
            does not name a model of the table.
    """
    rows = rows_of(table, prompt_set, condition, columns=["model", "status", *values])
    usable, left_out = split(rows, values, show_flagged=show_flagged)
    return Selection(usable, left_out, order_models(table["model"], models))


def rows_of(table: pd.DataFrame, prompt_set: str, condition: str, *, columns: Iterable[str]) -> pd.DataFrame:
    """The rows of one prompt set and condition.

    Raises:
        ValueError: one of `columns` (or prompt_set or condition) is missing, or there are no such rows.
    """
    require_columns(table, ["prompt_set", "condition", *columns])
    rows = table[(table["prompt_set"] == prompt_set) & (table["condition"] == condition)]
    if rows.empty:
        known = sorted(set(zip(table["prompt_set"], table["condition"], strict=True)))
        raise ValueError(f"no rows for prompt set {prompt_set!r}, condition {condition!r}; the table has {known}")
    return rows


def split(
    rows: pd.DataFrame, values: Sequence[str], *, show_flagged: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split rows into (usable, left out); where a value is not finite, a status "ok" is replaced by that reason.

    With `show_flagged`, a finite value is usable whatever its status, for example a mean over fewer prompts.
    """
    finite = np.isfinite(rows[list(values)].to_numpy(dtype=float)).all(axis=1)
    is_ok = (rows["status"] == "ok").to_numpy()
    is_usable = finite if show_flagged else finite & is_ok
    left_out = rows[~is_usable].copy()
    left_out.loc[left_out["status"] == "ok", "status"] = "value is not finite"
    return rows[is_usable], left_out


def order_models(present: Iterable[str], models: Sequence[str] | None) -> tuple[str, ...]:
    """The models in the given order, or sorted by name.

    Raises:
        ValueError: a present model is missing from the order.
    """
    present = set(present)
    if models is None:
        return tuple(sorted(present))
    if missing := sorted(present - set(models)):
        raise ValueError(f"the order of models {list(models)} lacks {missing}")
    return tuple(models)


def require_columns(table: pd.DataFrame, columns: Iterable[str]) -> None:
    """Raise ValueError that names every missing column."""
    if missing := [column for column in columns if column not in table.columns]:
        raise ValueError(f"the table lacks the columns {missing}; it has {list(table.columns)}")


def left_out_notes(left_out: pd.DataFrame, what: str = "prompt", count_of: str = "prompt") -> list[str]:
    """One sentence that names the models with rows left out, and why; empty where no row is left out.

    Models with the same count and reason are named together.

    Args:
        left_out: rows with columns model, status and, where there is one, `count_of`.
        what: the noun for what is counted.
        count_of: the column whose different values are counted; rows are counted where it is absent.
    """
    if left_out.empty:
        return []
    counted = left_out.groupby(["model", "status"], sort=True)
    counts = counted[count_of].nunique() if count_of in left_out.columns else counted.size()
    alike = counts.rename("count").reset_index().groupby(["status", "count"], sort=False)["model"]
    entries = [_who(list(models), plural(int(count), what), status) for (status, count), models in alike]
    shown, rest = entries[:MAX_REASONS], len(entries) - MAX_REASONS
    more = f"; and {rest} more, see the status column of the table" if rest > 0 else ""
    return [f"Left out: {'; '.join(shown)}{more}."]


def _who(models: Sequence[str], counted: str, reason: str) -> str:
    each = " each" if len(models) > 1 else ""
    return f"{', '.join(models)}, {counted}{each} ({reason})"


def count_prompts(rows: pd.DataFrame) -> int:
    """Number of different prompts among rows of one prompt set."""
    return int(rows["prompt"].nunique())
