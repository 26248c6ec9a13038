"""Faults on a real cluster: finished results stay, a rerun completes, the tables are the same."""

import subprocess
import time
from collections import Counter

from slurm_runs import THREADS, kill, record_bytes, table_bytes

TARGET = "results/tables/scores.csv"
TABLES = ("scores", "prompts", "layers")
ONE_MODEL = "results/metrics/ec/tiny-llama/baseline.parquet"  # two record jobs and one below them
# Another form of GPU request than the profile's; and SLURM's shortest limit, a minute, which grows like memory.
SHORT = ("--set-resources", "record:gres=gpu:1", "record:slurm_partition=gpu", "record:runtime=attempt")
CONTROLLER_AWAY_S = 5
TOO_LITTLE_MB = 400  # enough for Snakemake's two processes of a job, but not for torch
# From docs/clusters.md.
CANCEL_ALL_OF_A_RUN = (
    "squeue --me --noheader --format='%i %j' | awk '/internal-physics_/ {print $1}' | xargs -r scancel"
)


def records_and(file, tree, model=""):
    """Contents of a file and of the records that it was made from, including unexpected files among the records."""
    return record_bytes(tree, model), tree.path(file).read_bytes()


def test_jobs_that_die_are_done_again_with_more_and_the_controller_may_be_away(slurm, undisturbed):
    """One is cancelled, one killed as by lack of memory, one hangs until its time is over; all in one run."""
    with slurm.started(TARGET, *THREADS, *SHORT) as running:
        cancelled = slurm.wait_for_record_job()
        slurm.cluster.command("scancel", cancelled.id)
        killed = slurm.wait_for_record_job(but=[cancelled])
        slurm.process_of(killed).kill()
        hung = slurm.wait_for_record_job(but=[cancelled, killed])
        slurm.process_of(hung).suspend()
        slurm.cluster.stop("slurmctld")
        time.sleep(CONTROLLER_AWAY_S)
        slurm.cluster.start("slurmctld")
        assert running.wait(240) == 0, slurm.said()[-3000:]
    ends = {job.id: job.state for job in slurm.jobs()}
    assert [ends[job.id] for job in (cancelled, killed, hung)] == ["CANCELLED", "FAILED", "TIMEOUT"]
    records = [job for job in slurm.jobs() if job.rule.startswith("record_")]
    tries = Counter(job.rule for job in records)
    assert sorted(tries.values()) == [1, 2, 2, 2]  # undisturbed jobs ran once
    again = {job.rule: job for job in records if tries[job.rule] == 2 and job.state == "COMPLETED"}
    for died in (cancelled, killed, hung):
        assert again[died.rule].memory_mb == 2 * died.memory_mb
    assert {job.resources["gres/gpu"] for job in records} == {"1"}
    assert records_and(TARGET, slurm.tree) == records_and(TARGET, undisturbed)
    assert table_bytes(slurm.tree, TABLES) == table_bytes(undisturbed, TABLES)


def test_a_job_over_its_memory_is_killed_and_done_again_with_more(slurm, undisturbed):
    name = "results/tensors/tiny-llama/baseline/words/short.parquet"
    slurm.run(name, *THREADS, "--set-resources", f"record:mem_mb={TOO_LITTLE_MB} * attempt ** 3")
    first, second = [job for job in slurm.jobs() if job.rule.startswith("record_")]
    assert (first.memory_mb, second.memory_mb) == (TOO_LITTLE_MB, 8 * TOO_LITTLE_MB)
    assert (first.state, second.state) == ("FAILED", "COMPLETED")  # OUT_OF_MEMORY is reported only with cgroups
    (log,) = slurm.tree.path("results/logs/slurm").rglob(f"{first.id}.log")
    assert "exceeded memory limit" in log.read_text()
    assert slurm.tree.path(name).read_bytes() == undisturbed.path(name).read_bytes()


def test_snakemake_killed_and_started_again_while_its_jobs_run(slurm, undisturbed):
    """Two copies of a job write the same records at the same time."""
    with slurm.started("results/tensors/tiny-llama/baseline/words/short.parquet", *THREADS) as running:
        first = slurm.wait_for_record_job()
        frozen = slurm.process_of(first)
        frozen.suspend()
        kill(running)
    slurm.run("--unlock")
    with slurm.started(ONE_MODEL, *THREADS) as again:
        copy = slurm.wait_for_record_job(but=[first], rule=first.rule)
        slurm.process_of(copy)
        frozen.resume()
        assert again.wait(120) == 0, slurm.said()[-3000:]
    ends = {job.id: job.state for job in slurm.jobs()}
    assert (ends[first.id], ends[copy.id]) == ("COMPLETED", "COMPLETED")
    assert records_and(ONE_MODEL, slurm.tree, "tiny-llama") == records_and(ONE_MODEL, undisturbed, "tiny-llama")


def test_snakemake_killed_and_started_again_by_the_recipe(slurm, undisturbed):
    with slurm.started(ONE_MODEL, *THREADS) as running:
        done = slurm.wait_for_record_job()
        interrupted = slurm.wait_for_record_job(but=[done])
        slurm.process_of(interrupted).suspend()
        slurm.wait_for_end(done)
        kill(running)
    finished = slurm.dates_of_records()
    assert finished
    environment = slurm.cluster.environment
    subprocess.run(CANCEL_ALL_OF_A_RUN, shell=True, env=environment, check=True)
    slurm.wait_for_end(interrupted)
    slurm.run("--unlock")
    slurm.run(ONE_MODEL, *THREADS)
    assert finished.items() <= slurm.dates_of_records().items()
    assert records_and(ONE_MODEL, slurm.tree, "tiny-llama") == records_and(ONE_MODEL, undisturbed, "tiny-llama")
