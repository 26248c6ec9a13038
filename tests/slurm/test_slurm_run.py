"""The tiny config through profiles/slurm on a real scheduler: the same tables as on this machine, to the byte."""

import pytest
from slurm_runs import THREADS, SlurmTree, table_bytes
from workflow_runs import MODELS, RECORDS

GPU_RULES = {*RECORDS, "spectra", "information"}
# Of each model; rule `metric` runs for isf, residual_gain and routing.
CPU_JOBS = ("agreement", "gradient_flow", "kernel", *["metric"] * 3, "prompts_read", "thermodynamics", "phases")


@pytest.fixture(scope="module")
def finished(fresh, cluster, tmp_path_factory) -> SlurmTree:
    found = SlurmTree(fresh.copy(tmp_path_factory.mktemp("slurm") / "tree"), cluster)
    found.run("results/tables/checked.txt", *THREADS)
    return found


def test_tables_equal_those_of_a_local_run_to_the_byte(finished, local):
    assert table_bytes(finished.tree) == table_bytes(local)


def test_what_reads_records_or_weights_is_submitted_once_for_each_model_and_nothing_else(finished):
    submitted = sorted(job.rule.split("/")[0] for job in finished.jobs())
    assert submitted == sorted([*GPU_RULES, *CPU_JOBS] * len(MODELS))
    assert {job.state for job in finished.jobs()} == {"COMPLETED"}


def test_gpus_go_to_the_rules_that_run_a_model_and_to_no_others(finished):
    with_gpu = {job.rule.split("/")[0] for job in finished.jobs() if job.resources.get("gres/gpu") == "1"}
    assert with_gpu == GPU_RULES


def test_a_successful_job_leaves_no_log_of_the_scheduler(finished):
    assert not list(finished.tree.path("results/logs/slurm").rglob("*.log"))
