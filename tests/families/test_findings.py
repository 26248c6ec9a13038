"""What a run found: the first ten sentences of all families, as JSON has them."""

import json
import math
import sys
from types import ModuleType

import pandas as pd
import pytest
from internal_physics.families.finding import Finding
from internal_physics.families.findings import MAX_FINDINGS, gather
from internal_physics.families.registry import FAMILIES, TABLES, WITH_FINDINGS, findings_modules

TABLE = pd.DataFrame({"value": [1.0, 2.0, 3.0]})


def finding(sentence: str, low: float = 0.5) -> Finding:
    return Finding(sentence, value=1.5, ci_low=low, ci_high=2.0, n=3, figure="radar-s", table="scores")


@pytest.fixture
def room(monkeypatch):
    """A module of findings whose sentences say what it was given."""
    module = ModuleType("a_room")
    module.findings = lambda tables: [finding(f"{name}: {len(table)} rows") for name, table in tables.items()]
    monkeypatch.setitem(sys.modules, "a_room", module)
    return module


def test_a_family_gets_the_tables_that_it_reads_and_no_others(room):
    made = gather({"a_room": ("scores",)}, {"scores": TABLE, "layers": TABLE})
    assert [f["sentence"] for f in made] == ["scores: 3 rows"]
    assert made[0] == {
        "sentence": "scores: 3 rows",
        **{"value": 1.5, "ci_low": 0.5, "ci_high": 2, "n": 3, "figure": "radar-s", "table": "scores"},
    }


def test_a_missing_interval_is_null_in_json(room):
    room.findings = lambda _: [finding("no interval", low=math.nan)]
    made = gather({"a_room": ()}, {})
    assert made[0]["ci_low"] is None
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_there_are_at_most_ten(room):
    room.findings = lambda _: [finding(str(i)) for i in range(MAX_FINDINGS + 1)]
    assert [f["sentence"] for f in gather({"a_room": ()}, {})] == [str(i) for i in range(MAX_FINDINGS)]


def test_without_families_there_are_no_findings():
    assert gather({}, {}) == []
    assert findings_modules([]) == {}


def test_families_with_findings_are_those_that_name_tables_and_each_has_its_module():
    assert {f.name for f in WITH_FINDINGS} == {f.name for f in FAMILIES if f.findings_tables}
    modules = findings_modules(TABLES)
    assert len(modules) == len(WITH_FINDINGS)
    for names in modules.values():
        assert set(names) <= set(TABLES)


def test_a_family_whose_table_is_not_made_has_no_findings():
    without = findings_modules(set(TABLES) - {"decided_means"})
    assert set(findings_modules(TABLES)) - set(without) == {"internal_physics.families.information.findings"}
