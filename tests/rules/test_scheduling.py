"""Snakemake's default limit of new jobs per second is lifted on a workstation, and only there."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SNAKEFILE = f"""
CORES = {{cores}}
include: {str(ROOT / "rules" / "scheduling.smk")!r}
rule all:
    output: "x"
    shell: "touch x"
onsuccess:
    limiter = workflow.scheduler.job_rate_limiter
    print("limit:", limiter and (limiter.max_jobs, limiter.timespan))
"""


@pytest.mark.parametrize(
    ("cores", "asked", "limit"),
    [
        ("1", (), "None"),
        ("None", (), "(100, 1.0)"),  # a cluster
        ("1", ("--max-jobs-per-timespan", "7/2s"), "(7, 2.0)"),
    ],
)
def test_only_the_default_is_lifted_and_only_on_a_workstation(tmp_path, cores, asked, limit):
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(cores=cores))
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *asked]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"limit: {limit}\n" in done.stdout
