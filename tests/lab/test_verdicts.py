"""Claims in words: what a run ends with, and how they are counted."""

import csv

from internal_physics.lab.verdicts import claims_in_words, read_claims, tally

CLAIM = {
    "experiment": "junk",
    "claim": "Junk harms",
    "value": 0.0925,
    "low": 0.06,
    "high": 0.125,
    "n_seeds": 2,
    "unit": "1",
    "bar": "≤ 0.2",
    "is_hard": True,
    "verdict": "met",
}
SOFT = CLAIM | {"is_hard": False, "verdict": "missed", "unit": "bits per parameter", "experiment": "capacity"}
OPEN = CLAIM | {"is_hard": False, "verdict": "reported", "bar": "none", "n_seeds": 1}
UNMEASURED = CLAIM | {"verdict": "not measured", "value": float("nan"), "n_seeds": 0}


def test_each_claim_is_met_or_missed_under_its_experiment():
    said = claims_in_words([CLAIM, SOFT, OPEN]).splitlines()
    assert said[1:] == [
        "Claims of the literature in the lab:",
        "  junk",
        "    MET          0.0925 (0.06 to 0.125, 2 seeds; bar ≤ 0.2): Junk harms",
        "    REPORTED     0.0925 (1 seed; no bar): Junk harms",
        "  capacity",
        "    MISSED       0.0925 bits per parameter (0.06 to 0.125, 2 seeds; bar ≤ 0.2, need not hold): Junk harms",
        "  1 of 1 claims that must hold at this scale are met. Of 1 more with a bar, 0 are met. "
        "1 have no bar or no number and are reported only.",
    ]
    assert claims_in_words([]) == ""


def test_a_claim_without_a_number_is_not_met():
    assert tally([CLAIM, UNMEASURED]) == "1 of 2 claims that must hold at this scale are met."
    assert "NOT MEASURED n/a (no seeds; bar ≤ 0.2)" in claims_in_words([UNMEASURED])


def test_experiments_without_claims_say_so():
    assert tally([]) == "No claim of the literature is about these experiments."


def test_the_table_that_a_run_wrote_is_read_back(tmp_path):
    file = tmp_path / "lab_gates.csv"
    with file.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, list(CLAIM))
        writer.writeheader()
        writer.writerows([CLAIM, SOFT, UNMEASURED | {"value": ""}])
    assert read_claims(file)[:2] == [CLAIM, SOFT]
    assert tally(read_claims(file)) == tally([CLAIM, SOFT, UNMEASURED])
    assert read_claims(tmp_path / "no.csv") == []
