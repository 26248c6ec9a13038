"""The unit of each row of tables whose rows are of different metrics."""

import pandas as pd
import pytest
from internal_physics.families.registry import METRICS, TABLES, score_units
from internal_physics.ground.errors import StoreError
from internal_physics.tables.columns import UNIT
from internal_physics.tables.units import chunks_with_units, with_units

UNITS = {"ec": "1", "isc": "1 / residual unit", "temperature": "weight² / nat", "temperature_x": "other"}


def test_every_row_has_the_unit_of_its_metric():
    found = with_units(pd.DataFrame({"metric": ["isc", "ec", "isc"], "value": [1.0, 2.0, 3.0]}), UNITS)
    assert list(found[UNIT]) == ["1 / residual unit", "1", "1 / residual unit"]


def test_a_number_by_kind_has_the_unit_of_its_quantity_the_longest_name_first():
    found = with_units(pd.DataFrame({"metric": ["temperature_query", "temperature_x_query"]}), UNITS)
    assert list(found[UNIT]) == ["weight² / nat", "other"]


def test_a_metric_without_a_unit_is_refused():
    with pytest.raises(StoreError, match="the metric 'echo' has no unit"):
        with_units(pd.DataFrame({"metric": ["echo"]}), UNITS)


def test_only_chunks_of_the_named_table_get_units():
    frame = pd.DataFrame({"metric": ["ec"]})
    (_, scores), (_, others) = chunks_with_units([("scores", frame), ("layers", frame)], "scores", UNITS)
    assert (UNIT in scores, UNIT in others) == (True, False)


def test_an_empty_table_has_the_column():
    assert list(with_units(pd.DataFrame({"metric": []}, dtype="str"), UNITS).columns) == ["metric", UNIT]


def test_the_scores_of_every_metric_have_a_unit():
    """Those of the thermodynamics are the units of the columns of its table, and a name in nats is in nats."""
    units = score_units(METRICS)
    assert set(units) == {name for metric in METRICS.values() for name in metric.scores} | {"loss"}
    of_weights = TABLES["thermodynamics"].columns
    assert {name: units[name] for name in units if name in of_weights} == {
        name: of_weights[name].unit for name in ("temperature", "entropy_nats", "energy", "free_energy")
    }
    assert (units["isc"], units["ec"]) == (TABLES["prompts"].columns["isc"].unit, "1")
    assert all((unit == "nats") == name.endswith("_nats") for name, unit in units.items())


def test_every_quantity_that_is_named_in_nats_has_that_unit():
    named = [q for table in TABLES.values() for q in table.quantities if q.name.endswith("_nats")]
    assert len(named) > 5
    assert {q.unit for q in named} == {"nats"}
