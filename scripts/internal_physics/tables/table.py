"""Description of a table: its columns, its key, and what must hold for its rows.

A table is described once, in tables.py of its family. Reading, writing, checks, report and documentation take the
description. No pandas here.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from internal_physics.tables.columns import Column
from internal_physics.tables.keys import SET_KEY


@dataclass(frozen=True)
class Quantity:
    """One of the quantities whose values a long table holds in one column.

    Attributes:
        name: as in the table.
        low, high: the range of its values, bounds included.
        metric: the metric that it belongs to.
        label: plain words for an axis; "" where no figure shows it along depth.
        unit: of its values; "" where it has none.
        may_be_log: whether its axis may be logarithmic. An entropy of almost nothing is better read as zero.
        is_prefix: whether every quantity whose name begins with `name` is meant. Such a row may be there or not.
    """

    name: str
    low: float = -math.inf
    high: float = math.inf
    metric: str = ""
    label: str = ""
    unit: str = ""
    may_be_log: bool = False
    is_prefix: bool = False

    def axis_label(self, width: int = 18, *, log: bool = False) -> str:
        """Label in lines of at most `width` characters, and in a line of its own the unit and a logarithmic scale."""
        remarks = ", ".join(text for text in (self.unit, "log" if log else "") if text)
        return "\n".join([*textwrap.wrap(self.label, width), *([f"({remarks})"] if remarks else [])])

    @property
    def is_bounded(self) -> bool:
        """Whether there are values that it cannot have."""
        return math.isfinite(self.low) or math.isfinite(self.high)


@dataclass(frozen=True, eq=False)
class Table:
    """A table: results/tables/{name}.csv and .parquet, with the same columns.

    Two descriptions are equal only if they are the same object, so that one can be the key of a mapping.

    Attributes:
        name: of the table and its files.
        columns: in order; the last is `status`. One that is named as a metric holds finite numbers in rows whose
            status is ok wherever that metric was asked for.
        key: the columns that no two rows share.
        finite: columns that hold finite numbers in every row whose status is ok.
        finite_under: name of a second status column -> columns that hold finite numbers where it is ok.
        quantities: of a long table: whose values it holds in `value`; no others occur. Empty: no claim.
        quantity_column: the column that names them.
        group: columns whose rows belong together and are judged together.
        members: columns that tell the rows of a group apart, where the config says which rows must be there: its
            prompts, as many ranks as prompts, the quantities of the metrics asked for, or a column's allowed texts.
            (): a group must be there. None: the config does not say.
        filled_by: metrics of which at least one must be asked for, else the table is empty. (): it is always filled.
        by_definition: statuses of rows that have no number by definition, such as a comparison of one model. They are
            no alarm: the flagged rows leave them out.
        rows_as_in: name of a table that has, for a model, as many rows as every member has here; "" for no claim.
    """

    name: str
    columns: Mapping[str, Column]
    key: Sequence[str]
    finite: Sequence[str] = ()
    finite_under: Mapping[str, Sequence[str]] = field(default_factory=dict)
    quantities: Sequence[Quantity] = ()
    quantity_column: str = "quantity"
    group: Sequence[str] = tuple(SET_KEY)
    members: Sequence[str] | None = None
    filled_by: Sequence[str] = ()
    by_definition: Sequence[str] = ()
    rows_as_in: str = ""

    @property
    def types(self) -> dict[str, str]:
        """Column -> its type, as pandas takes it."""
        return {name: column.dtype for name, column in self.columns.items()}
