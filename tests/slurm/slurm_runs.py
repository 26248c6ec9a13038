"""Runs of the workflow on the test cluster, and their jobs in SLURM's accounting."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from cluster import Cluster, wait_until
from workflow_runs import CONFIG, TABLES, Refused, Tree, environment

FEW_SECONDS = 2  # until the first status check; the value of the profile suits jobs of minutes
THREADS = ("--set-threads", "record=1", "spectra=1")  # the same in a local run, since the last bits depend on it
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

    @property
    def memory_mb(self) -> int:
        return int(re.fullmatch(r"(\d+)M", self.resources["mem"]).group(1))


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
        """Snakemake, running; killed at the end if it still runs. Its jobs in the queue are then cancelled."""
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
        # Without a start, sacct begins at midnight: a run that passed it lost its first jobs.
        start = "--starttime=now-2days"
        lines = self.cluster.command("sacct", start, "--allocations", "--parsable2", "--noheader", fields).splitlines()
        return [re.fullmatch(r"(\d+)\|(.*?)\|(.*)\|(.*?)\|(.*?)", line).groups() for line in lines]

    def wait_for_record_job(self, *, but: Iterable[Job] = (), rule: str = "record_") -> Job:
        """A job that records now, other than some."""
        others, found = {job.id for job in but}, []

        def there() -> bool:
            found[:] = [
                j for j in self.jobs() if j.rule.startswith(rule) and j.state == "RUNNING" and j.id not in others
            ]
            return bool(found)

        assert wait_until(there, pause=0.3), f"no running {rule}:\n{self.said()[-3000:]}"
        return found[0]

    def wait_for_end(self, job: Job) -> None:
        """Until a job has left the queue."""
        left = wait_until(
            lambda: not self.cluster.command("squeue", "--noheader", f"--jobs={job.id}", "--states=R,CG,PD")
        )
        assert left, f"job {job.id} does not end"

    def dates_of_records(self) -> dict[str, int]:
        """When each record was written."""
        folder = self.tree.path("results/tensors")
        return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}

    def process_of(self, job: Job) -> psutil.Process:
        """The process that does a record job's work, below Snakemake's own two."""
        found: list[psutil.Process] = []

        def there() -> bool:
            found[:] = [p for p in psutil.process_iter() if _works_for(p, job.id)]
            return bool(found)

        assert wait_until(there), f"job {job.id} records nothing:\n{self.said()[-3000:]}"
        return found[0]


def table_bytes(tree: Tree, tables: Iterable[str] = TABLES) -> dict[str, bytes]:
    """Tables as CSV and as Parquet. The files hold no time, so that equal tables are equal bytes."""
    names = [f"{name}.{kind}" for name in tables for kind in ("csv", "parquet")]
    return {name: tree.path(f"results/tables/{name}").read_bytes() for name in names}


def record_bytes(tree: Tree, model: str = "") -> dict[str, bytes]:
    """Every file among the records (of one model), including unexpected ones."""
    folder = tree.path("results/tensors") / model
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def kill(running: subprocess.Popen[bytes]) -> None:
    """SIGKILL to Snakemake and what it started on this machine; jobs of SLURM run on."""
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def rule_of(submit_line: str) -> str:
    """rule, or rule/wildcards: "record_0_counting/tiny-llama_baseline", from the log that sbatch was given."""
    return re.search(r"/rule_(\S+?)/%j\.log", submit_line).group(1)


def _works_for(process: psutil.Process, job: str) -> bool:
    try:
        return process.environ().get("SLURM_JOB_ID") == job and process.cmdline()[-1].endswith(".record.py")
    except (psutil.Error, IndexError):
        return False
