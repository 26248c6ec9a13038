"""Numbers that the benchmarks write for README and docs: the table of `make bench`, the findings of the default run."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml
from internal_physics.docs.measured import findings as shown_findings
from internal_physics.docs.measured import rows as measured_rows
from internal_physics.docs.pages import FINDINGS as PAGES_FINDINGS

ROOT = Path(__file__).parents[2]


def test_the_benchmarks_can_be_started():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--write" in done.stdout


def test_the_written_table_is_what_the_page_shows(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.__main__ import write
    from benchmarks.harness import Row

    rows = [Row("record", "≥ 2×", "3.1×", True), Row("read", "≤ 1 s", "2 s", False)]
    write(rows, 5, tmp_path / "bench.yaml")
    facts = yaml.safe_load((tmp_path / "bench.yaml").read_text(encoding="utf-8"))
    assert facts["rounds"] == 5
    assert "cores of" in facts["machine"]
    assert measured_rows({"bench": facts}, "bench.rows").splitlines()[2:] == [
        "| record | ≥ 2× | 3.1× | yes |",
        "| read | ≤ 1 s | 2 s | no |",
    ]


def test_findings_are_read_from_the_tables_of_the_run(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.default_run import findings

    comparisons = [
        (word, "probability", f" {word}", layer, measure, layer / 1000, layer / 300)
        for word in ("happy", "sad")
        for layer in (29, 30)
        for measure in ("difference", "percent_change")
    ]
    names = ["condition", "quantity", "token", "layer", "measure", "baseline", "steered"]
    pd.DataFrame(comparisons, columns=names).to_parquet(tmp_path / "comparisons.parquet")
    row = {"model": "smollm2-fp32", "condition": "baseline", "prompt_set": "all sets", "hypothesis": "entropy_gain"}
    numbers = {"value": 0.4361, "p_adjusted": 0.00117, "n": 102}
    hypotheses = [row | numbers | {"variant": v, "statistic": "pearson_r"} for v in ("whole", "last_position")]
    pd.DataFrame(hypotheses).to_parquet(tmp_path / "hypotheses.parquet")
    assert findings(tmp_path) == {
        "happy_baseline": 0.03,
        "happy_steered": 0.1,
        "sad_baseline": 0.03,
        "sad_steered": 0.1,
        "gain_r": 0.44,
        "gain_p_adjusted": 0.001,
        "gain_prompts": 102,
    }


def test_the_findings_of_the_run_are_kept_and_shown_as_they_were_written(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.default_run import FINDINGS, keep_findings

    assert FINDINGS == ROOT / PAGES_FINDINGS  # where `make docs` reads them
    (tmp_path / "findings.json").write_text('[{"sentence": "On the set a_b*, x < y."}, {"sentence": "So."}]')
    keep_findings(tmp_path, tmp_path / "kept.json")
    found = json.loads((tmp_path / "kept.json").read_text(encoding="utf-8"))
    assert shown_findings(found) == "1. On the set a\\_b\\*, x \\< y.\n2. So.\n"
