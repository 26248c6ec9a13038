"""The sentence on flagged rows counts those of all tables."""

import pandas as pd
from internal_physics.families.run.flagged import flagged_finding
from internal_physics.tables.preview import count_flagged


def test_the_sentence_counts_rows_and_names_the_table_with_most_of_them():
    found = flagged_finding({"scores": 1200, "layers": 40}, {"scores": 3, "layers": 10})
    assert found.sentence == (
        "13 of 1,240 table rows carry a remark that says why a number is missing or to be read with care, 10 of them "
        "in table layers."
    )
    assert (found.value, found.figure, found.table) == (13, "", "layers")


def test_a_clean_run_has_no_such_sentence():
    assert flagged_finding({"scores": 12}, {"scores": 0}) is None
    assert flagged_finding({}, {}) is None


def test_flagged_rows_of_a_file_are_counted(tmp_path):
    pd.DataFrame({"status": ["ok", "one prompt", "ok", "no value"], "value": 1.0}).to_parquet(tmp_path / "t.parquet")
    assert count_flagged(tmp_path / "t.parquet") == 2
    assert count_flagged(tmp_path / "t.parquet", ["no value"]) == 1
