"""What the explorer can show of a table, from the table's description alone. No pandas, no list of quantities.

A table is shown if its rows are about prompts: its key holds model, condition, prompt set and prompt. Every number in
it is offered, along depth where the table has layers. A table whose key has a `rank` is a list, not a number. One
whose key names a second prompt is a square of numbers, and one with columns x and y is a map.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from internal_physics.tables.columns import PLAIN
from internal_physics.tables.keys import PROMPT_KEY
from internal_physics.tables.table import Quantity, Table

LAYER, VALUE, RANK, STATUS = "layer", "value", "rank", "status"
WEIGHT, KIND = "parameter", "kind"  # a weight is shown by its kind of map, since its layer says the rest
NUMBERS = ("float64", "int64", "Int64", "bool", "boolean")
DIMENSIONLESS = "dimensionless"
OTHER_PROMPT = ("other_prompt_set", "other_prompt")  # of a pair of prompts
PLACE = ("x", "y")  # of a prompt on a map
_NO_NUMBERS = (LAYER, "expert", *PLACE)  # places, not measurements


@dataclass(frozen=True)
class Offer:
    """A number that the explorer offers.

    Attributes:
        table: name of the table that holds it.
        name: of the quantity, or of the column.
        family: name of the family that it belongs to.
        label: for a menu and an axis.
        unit: of its values; "dimensionless" for a plain number.
        meaning: in words, as far as a description says it.
        layers: what its layers are; "" where the table has none.
        may_be_log: whether its axis may be logarithmic.
    """

    table: str
    name: str
    family: str
    label: str
    unit: str
    meaning: str
    layers: str
    may_be_log: bool = False


@dataclass(frozen=True)
class Words:
    """What is known of metrics besides tables.

    Attributes:
        titles: metric → its word on an axis.
        family_of_metric: metric → name of its family.
    """

    titles: Mapping[str, str]
    family_of_metric: Mapping[str, str]


def is_shown(table: Table) -> bool:
    """Whether the explorer offers a table's numbers: its rows are about prompts, not about pairs or ranks of them."""
    return set(PROMPT_KEY) <= set(table.key) and set(table.key).isdisjoint([RANK, *OTHER_PROMPT])


def is_of_pairs(table: Table) -> bool:
    """Whether the rows of a table are about two prompts of one model and condition."""
    return {*PROMPT_KEY, *OTHER_PROMPT} <= set(table.key)


def is_map(table: Table) -> bool:
    """Whether a table gives every prompt a place on a plane."""
    return set(PROMPT_KEY) <= set(table.key) and set(PLACE) <= set(table.columns)


def is_long(table: Table) -> bool:
    """Whether a table holds many quantities in one column."""
    return table.quantity_column in table.columns and VALUE in table.columns


def number_columns(table: Table) -> list[str]:
    """Columns whose values are shown: `value` of a long table, all numbers of a wide one."""
    if is_long(table):
        return [VALUE]
    places = {*table.key, *_NO_NUMBERS}
    return [name for name, column in table.columns.items() if column.dtype in NUMBERS and name not in places]


def part_columns(table: Table) -> list[str]:
    """Columns that part the rows of one quantity and one place: a token, a variant, a kind of weight, a reference."""
    own = [name for name in table.key if name not in (*PROMPT_KEY, LAYER, table.quantity_column)]
    return list(dict.fromkeys(KIND if name == WEIGHT else name for name in own))


def status_of(table: Table, column: str) -> str:
    """The status column that says whether a number of this column is there."""
    for status, columns in table.finite_under.items():
        if column in columns:
            return status
    return STATUS


def offers_of(table: Table, names: Sequence[str], family: str, words: Words) -> list[Offer]:
    """The offers of a table.

    Args:
        table: its description.
        names: the quantities that it holds, or of a wide table the columns that hold numbers; others are left out.
        family: that the table belongs to. A quantity or column of another family's metric belongs to that.
        words: for metrics.
    """
    if is_long(table):
        return list(_of_quantities(table, names, family, words))
    return [_of_column(table, column, family, words) for column in number_columns(table) if column in names]


def _of_column(table: Table, column: str, family: str, words: Words) -> Offer:
    described = table.columns[column]
    is_metric = column in words.titles
    label = f"{words.titles[column]} ({column.upper()})" if is_metric else plain_name(column)
    own = words.family_of_metric.get(column, family)
    return Offer(table.name, column, own, label, _unit(described.unit), described.meaning, _layers(table))


def _of_quantities(table: Table, names: Sequence[str], family: str, words: Words) -> Iterator[Offer]:
    """Described as far as the table's description has them; a label that several share is replaced by the name."""
    described = {name: described_as(table, name) for name in names}
    labels = [quantity.label for quantity in described.values()]
    for name, quantity in described.items():
        is_own = quantity.label and labels.count(quantity.label) == 1
        label = readable(quantity.label) if is_own else plain_name(name)
        own = words.family_of_metric.get(quantity.metric, family)
        unit = _unit(quantity.unit or PLAIN)
        yield Offer(table.name, name, own, label, unit, "", _layers(table), quantity.may_be_log)


def described_as(table: Table, name: str) -> Quantity:
    """The description of a quantity by its name, or by the prefix that it begins with; a bare one if there is none."""
    exact = [quantity for quantity in table.quantities if quantity.name == name]
    prefixed = [quantity for quantity in table.quantities if quantity.is_prefix and name.startswith(quantity.name)]
    return next(iter([*exact, *prefixed]), Quantity(name))


def plain_name(name: str) -> str:
    """A name of a column as words: entropy_nats → entropy, n_tokens → number of tokens."""
    return re.sub(r"^n_", "number of ", name).removesuffix("_nats").replace("_", " ")


def readable(label: str) -> str:
    """A label without the marks of a formula: $e_l$ → eₗ."""
    return re.sub(r"_l\b", "ₗ", label.replace("$", ""))


def _layers(table: Table) -> str:
    return table.columns[LAYER].meaning if LAYER in table.columns else ""


def _unit(unit: str) -> str:
    return DIMENSIONLESS if unit == PLAIN else unit
