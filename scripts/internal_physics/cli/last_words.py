"""The end of a run: what it found, or the message of each failed job and its log."""

import atexit
import json
import logging
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from internal_physics.ground.joblog import FAILED
from internal_physics.lab.verdicts import claims_in_words, read_claims

FINDINGS, REPORT = "results/findings.json", "results/report.html"
CLAIMS, LAB_REPORT = "results/lab/tables/lab_gates.csv", "results/lab/report.html"
HEADING = "What this run found:"
INTERRUPTED = "\nInterrupted. What is finished is kept: start again with the same command.\n"
KILLED = "the job ended before it said why (killed, or out of memory?)"
_BEGINNING = "rule "  # of the first entry of the log of a job
_ENTRY = re.compile(r"^\d\d:\d\d:\d\d ", flags=re.MULTILINE)


class Watch(logging.Handler):
    """Listens to Snakemake's logger from the start of a run.

    Attributes:
        logs: job → its log, for the jobs that failed and did not succeed later.
        interrupted: whether Ctrl-C ended the run.
        has_lab: whether the config trains models, so that the run ends with the claims of the lab.
    """

    def __init__(self) -> None:
        super().__init__()
        self.logs: dict[int, str] = {}
        self.interrupted = False
        self._before = {file: _changed(file) for file in (FINDINGS, REPORT, CLAIMS, LAB_REPORT)}
        self.has_lab = False

    def emit(self, record: logging.LogRecord) -> None:
        """Note failed jobs and an interruption."""
        said = record.__dict__
        if said.get("event") == "job_error" and said["log"]:
            self.logs[said["jobid"]] = said["log"][0]
        elif said.get("event") == "job_finished":
            self.logs.pop(said["job_id"], None)
        if isinstance(sys.exception(), KeyboardInterrupt):  # Snakemake says that it ends because of it
            self.interrupted = True

    def on_success(self) -> str:
        """The findings and claims, and the paths of new reports; "" for a run that wrote none of them."""
        written = [file for file, before in self._before.items() if _changed(file) != before]
        if not written:
            return ""
        found = what_was_found(FINDINGS) if {FINDINGS, REPORT} & set(written) else ""
        claims = claims_in_words(read_claims(CLAIMS)) if self.has_lab else ""
        named = {REPORT: "The whole report", LAB_REPORT: "The report of the lab"}
        return found + claims + "".join(f"{named[file]}: {file}\n" for file in written if file in named)

    def on_error(self) -> str:
        """Why the run ended."""
        return INTERRUPTED if self.interrupted else closing_words(self.logs.values())


def say_last(text: str) -> None:
    """Say this when the process ends, after all that Snakemake says."""
    if text:
        atexit.register(_say, text)


def what_was_found(file: str) -> str:
    """The findings of a run as numbered lines under a heading; "" if there are none."""
    findings = json.loads(Path(file).read_text(encoding="utf-8")) if Path(file).is_file() else []
    lines = [f"  {number}. {finding['sentence']}\n" for number, finding in enumerate(findings, 1)]
    return "".join([f"\n{HEADING}\n", *lines]) if lines else ""


def closing_words(logs: Iterable[str]) -> str:
    """The distinct messages of the failed jobs, each with the log of the first; for the end of the run."""
    messages = failures(logs)
    if not messages:
        return "\nThe run failed: see the messages above.\n"
    return "".join(f"\nFailed: {message}\n  log: {log}\n" for message, log in messages.items())


def failures(logs: Iterable[str]) -> dict[str, str]:
    """Error message → log, for each job that failed. The message is the last entry of the log before the word that it
    failed, of a traceback its last line, or `KILLED` where a job did not come to that word.

    Jobs with equal messages count once; a missing log is left out.
    """
    found: dict[str, str] = {}
    for log in logs:
        text = Path(log).read_text(encoding="utf-8", errors="replace") if Path(log).is_file() else ""
        entry = _message(text)
        if entry:
            found.setdefault(entry.splitlines()[-1] if entry.startswith("Traceback") else entry, log)
    return found


def _message(log: str) -> str:
    """Why a job failed, by the text of its log; "" for an empty one."""
    entries = [entry.strip() for entry in _ENTRY.split(log)]
    if FAILED in entries[1:]:  # warnings at the end of the process may follow
        return entries[entries.index(FAILED) - 1]
    is_of_a_job = any(entry.startswith(_BEGINNING) for entry in entries[:2])  # an empty one may come first
    return KILLED if is_of_a_job else entries[-1]


def _changed(file: str) -> int | None:
    """When a file was last written, in ns; None if there is none."""
    return Path(file).stat().st_mtime_ns if Path(file).is_file() else None


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
