"""Runs of the workflow on the cluster of the tests, and what SLURM says of their jobs."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from cluster import Cluster, wait_until
from workflow_runs import CONFIG, TABLES, Refused, Tree, environment

FEW_SECONDS = 2  # until the first look at a job; the profile's own is meant for jobs of minutes
THREADS = ("--set-threads", "record=2", "spectra=2")  # the same in a local run, since the last bits depend on it
PROFILE = ("--workflow-profile=profiles/slurm", f"--slurm-init-seconds-before-status-checks={FEW_SECONDS}")


@dataclass(frozen=True)
class Job:
    """A job as SLURM's accounting knows it.

    Attributes:
        id: SLURM's number.
        rule: and wildcards, from the place of its log.
        state: COMPLETED, FAILED, CANCELLED, TIMEOUT, ...
        resources: what it was given, such as {"cpu": "8", "gres/gpu": "1", "mem": "1501M"}.
    """

    id: str
    rule: str
    state: str
    resources: dict[str, str]


@dataclass(frozen=True)
class SlurmTree:
    """A working tree whose workflow runs on the cluster."""

    tree: Tree
    cluster: Cluster

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", *PROFILE, f"--configfile={CONFIG}", *arguments]

    def run(self, *arguments: str) -> str:
        """All that Snakemake says.

        Raises:
            Refused: if it ends with an error.
        """
        with self.started(*arguments) as running:
            running.wait()
        text = self.said()
        if running.returncode:
            raise Refused(text)
        return text

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Snakemake, running; killed in the end if it still does. Jobs in the queue are cancelled then."""
        with self._log.open("wb") as log:
            running = subprocess.Popen(
                self.command(*arguments),
                cwd=self.tree.folder,
                env=environment() | self.cluster.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield running
        finally:
            if running.poll() is None:
                kill(running)
                self.cluster.cancel_all()

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def _log(self) -> Path:
        return self.tree.folder.with_suffix(".out")

    def jobs(self) -> list[Job]:
        """Every job that was submitted from this tree, in order, whoever submitted it."""
        return [
            Job(number, rule_of(log), state.split()[0], dict(part.split("=", 1) for part in given.split(",") if part))
            for number, folder, log, state, given in self._accounting()
            if folder == str(self.tree.folder)
        ]

    def _accounting(self) -> list[list[str]]:
        fields = "--format=JobIDRaw,WorkDir,SubmitLine,State,AllocTRES"
        lines = self.cluster.command("sacct", "--allocations", "--parsable2", "--noheader", fields).splitlines()
        return [re.fullmatch(r"(\d+)\|(.*?)\|(.*)\|(.*?)\|(.*?)", line).groups() for line in lines]

    def wait_for_job(self, rule: str, *, state: str = "RUNNING") -> Job:
        """The first job of a rule (and wildcards) that is in this state."""
        found: list[Job] = []

        def there() -> bool:
            found[:] = [job for job in self.jobs() if job.rule == rule and job.state == state]
            return bool(found)

        assert wait_until(there, pause=0.3), f"no {state} {rule}:\n{self.said()[-3000:]}"
        return found[0]

    def process_of(self, job: Job, script: str = "record.py") -> psutil.Process:
        """The process that does the job's work, below Snakemake's own two."""
        found: list[psutil.Process] = []

        def there() -> bool:
            found[:] = [p for p in psutil.process_iter() if _works_for(p, job.id, script)]
            return bool(found)

        assert wait_until(there), f"job {job.id} runs no {script}:\n{self.said()[-3000:]}"
        return found[0]

    def tables(self) -> dict[str, bytes]:
        return table_bytes(self.tree)


def table_bytes(tree: Tree) -> dict[str, bytes]:
    """Every table as CSV and as Parquet. The files hold no time, so that equal tables are equal bytes."""
    names = [f"{name}.{kind}" for name in TABLES for kind in ("csv", "parquet")]
    return {name: tree.path(f"results/tables/{name}").read_bytes() for name in names}


def kill(running: subprocess.Popen[bytes]) -> None:
    """SIGKILL to Snakemake and what it started on this machine; jobs of SLURM run on."""
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def rule_of(submit_line: str) -> str:
    """rule, or rule/wildcards: "record_0_counting/tiny-llama_baseline", from the log that sbatch was given."""
    return re.search(r"/rule_(\S+?)/%j\.log", submit_line).group(1)


def _works_for(process: psutil.Process, job: str, script: str) -> bool:
    try:
        return process.environ().get("SLURM_JOB_ID") == job and process.cmdline()[-1].endswith(f".{script}")
    except (psutil.Error, IndexError):
        return False
