"""What a table is: its columns, its key, and what must hold for its rows.

A table is described once, in tables.py of its family. Reading, writing, checks, report and documentation take the
description. No pandas here.
"""

import math
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
        is_prefix: whether every quantity whose name begins with `name` is meant. Such a row may be there or not.
    """

    name: str
    low: float = -math.inf
    high: float = math.inf
    metric: str = ""
    is_prefix: bool = False

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
    rows_as_in: str = ""

    @property
    def types(self) -> dict[str, str]:
        """Column -> its type, as pandas takes it."""
        return {name: column.dtype for name, column in self.columns.items()}
