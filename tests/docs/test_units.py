"""Overview of units in docs/tables.md: every number of every table has its unit and meaning."""

from internal_physics.docs.families import all_units
from internal_physics.families.registry import TABLES

COLUMNS = [(table.name, name, column) for table in TABLES.values() for name, column in table.columns.items()]


def test_every_column_has_a_meaning_and_every_measured_number_a_unit():
    assert [(table, name) for table, name, column in COLUMNS if not column.meaning] == []
    assert [(table, name) for table, name, c in COLUMNS if c.dtype == "float64" and not c.unit] == []


def test_the_overview_lists_every_column_with_a_unit_beside_its_table():
    lines = [line.strip("| \n").split(" | ") for line in all_units().splitlines()[2:]]
    listed = {(table.strip("`"), column.strip("`")) for column, _, tables in lines for table in tables.split(", ")}
    assert listed == {(table, name) for table, name, column in COLUMNS if column.unit}
