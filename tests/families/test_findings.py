"""What a run found: sentences of all families, whose claims are adjusted together, as JSON has them."""

import json
import math
import sys
from types import ModuleType

import pandas as pd
import pytest
from internal_physics.families.finding import Finding, p_at_most
from internal_physics.families.findings import as_json, claims_that_hold, gather
from internal_physics.families.registry import FAMILIES, TABLES, WITH_FINDINGS, findings_modules

TABLE = pd.DataFrame({"value": [1.0, 2.0, 3.0]})


def finding(sentence: str, low: float = 0.5) -> Finding:
    return Finding(sentence, value=1.5, ci_low=low, ci_high=2.0, n=3, figure="radar-s", table="scores")


@pytest.fixture
def room(monkeypatch):
    """A module of findings whose sentences say what it was given, and which of its claims hold."""
    module = ModuleType("a_room")
    module.p_values = lambda tables: dict.fromkeys(tables, 0.02)
    module.findings = lambda tables, held: [finding(f"{name}: {len(table)} rows") for name, table in tables.items()]
    monkeypatch.setitem(sys.modules, "a_room", module)
    return module


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0432, "0.044"), (0.0196, "0.02"), (0.02, "0.02"), (0.0072, "0.0072"), (0.00721, "0.0073"),
     (1.83e-22, "1.9e-22"), (0.995, "1"), (1.0, "1"), (0.0, "0")],
)  # fmt: skip
def test_no_adjusted_p_is_larger_than_its_sentence_says(p, text):
    assert p_at_most(p) == f"adjusted p at most {text}"
    assert float(text) >= p


def test_a_family_gets_the_tables_that_it_reads_and_no_others(room):
    made = as_json(gather({"a_room": ("scores",)}, {"scores": TABLE, "layers": TABLE}))
    assert made == [
        {
            "sentence": "scores: 3 rows",
            **{"value": 1.5, "ci_low": 0.5, "ci_high": 2, "n": 3, "figure": "radar-s", "table": "scores"},
            "p_adjusted": None,
        }
    ]


def test_an_interval_that_is_not_there_is_null_in_json(room):
    room.findings = lambda *_: [finding("no interval", low=math.nan)]
    made = as_json(gather({"a_room": ()}, {}))
    assert made[0]["ci_low"] is None
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_claims_of_all_families_are_adjusted_together(room, monkeypatch):
    other = ModuleType("other_room")
    other.p_values = lambda _: {"weak": 0.03, "untested": math.nan}
    monkeypatch.setitem(sys.modules, "other_room", other)
    tables = {"scores": TABLE}
    alone = claims_that_hold({"a_room": ("scores",)}, tables, 0.05)
    assert alone == {"a_room": {"scores": 0.02}}
    both = {"a_room": ("scores",), "other_room": ()}
    assert claims_that_hold(both, tables, 0.05) == {
        "a_room": {"scores": pytest.approx(0.04)},  # 2 · 0.02
        "other_room": {"weak": pytest.approx(0.04)},  # Holm's values do not fall
    }
    assert claims_that_hold(both, tables, 0.03) == {"a_room": {}, "other_room": {}}


def test_a_family_is_told_which_of_its_claims_hold(room):
    told = []
    room.findings = lambda _, held: told.append(dict(held)) or []
    gather({"a_room": ("scores",)}, {"scores": TABLE})
    gather({"a_room": ("scores",)}, {"scores": TABLE}, confidence_level=0.99)
    assert told == [{"scores": 0.02}, {}]


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
