"""The end of a run with Snakemake itself, and the time left beside its steps."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from internal_physics.cli import last_words
from internal_physics.cli.last_words import Watch, closing_words, failures, what_was_found
from internal_physics.cli.progress import (
    JOB_INFO,
    PROGRESS,
    Readable,
    make_readable,
    time_left,
    with_short_reasons,
    words_of,
)
from snakemake_interface_logger_plugins.common import LogEvent

ROOT = Path(__file__).parents[2]
TOY = f"""import sys
sys.path.insert(0, {str(ROOT / "scripts")!r})
from snakemake.logging import logger
include: {str(ROOT / "rules" / "last_words.smk")!r}
"""


def record(message: str | None = None, **fields: object) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": message, "levelno": logging.INFO, **fields})


class TestTimeLeft:
    def test_it_is_shown_beside_the_steps(self):
        assert time_left(1, 5, 30) == ", about 2 min left"
        assert time_left(1, 11, 30) == ""  # too early to tell
        assert time_left(4, 5, 40) == ", about 10 s left"
        assert time_left(5, 5, 40) == ", the last one"

    @pytest.mark.parametrize(
        ("seconds", "words"), [(0.2, "1 s"), (59.4, "59 s"), (90, "2 min"), (3599, "1 h 0 min"), (12000, "3 h 20 min")]
    )
    def test_durations_are_read_at_a_glance(self, seconds, words):
        assert words_of(seconds) == words

    def test_only_what_is_said_of_progress_gets_it(self):
        now = iter([0.0, 30.0])
        formatter = Readable(logging.Formatter(), clock=lambda: next(now))
        assert formatter.format(record("a job", event=LogEvent.JOB_INFO)) == "a job"
        assert formatter.format(record("1 of 5", event=LogEvent.PROGRESS, done=1, total=5)) == (
            "1 of 5, about 2 min left"
        )

    def test_handlers_without_words_of_their_own_are_left_alone(self):
        logger, text, plugin = logging.Logger("run"), logging.NullHandler(), logging.NullHandler()
        text.setFormatter(logging.Formatter())
        logger.handlers = [text, plugin]
        make_readable(logger)
        assert isinstance(text.formatter, Readable)
        assert plugin.formatter is None


class TestReasons:
    def test_a_list_of_many_files_is_counted(self):
        many = ", ".join(f"results/{number}.csv" for number in range(300))
        reason = f"Reason: Missing output files: a, b; Input files updated: {many}"
        text = f"Job 0: All results are there\n{reason}\nNext: {many}"
        shown = Readable(logging.Formatter()).format(record(text, event=LogEvent.JOB_INFO))
        assert shown.splitlines() == [
            "Job 0: All results are there",
            "Reason: Missing output files: a, b; "
            "Input files updated: results/0.csv, results/1.csv, results/2.csv and 297 more",
            f"Next: {many}",
        ]

    @pytest.mark.parametrize("n_files", [1, 3, 4])
    def test_a_short_list_stays(self, n_files):
        text = "Reason: Missing output files: " + ", ".join("abcd"[:n_files])
        assert with_short_reasons(text) == text

    def test_the_names_of_events_are_those_of_snakemake(self):
        assert (PROGRESS, JOB_INFO) == (LogEvent.PROGRESS, LogEvent.JOB_INFO)


class TestFailures:
    def test_each_is_reported_once_with_its_log(self, tmp_path):
        logs = [str(tmp_path / f"{name}.log") for name in ("a", "b", "c")]
        layer = "conditions → push → layers: there is no layer 9\n  expected: 0 to 3"
        for log in logs[:2]:
            Path(log).write_text(f"01:50:33 rule record\n01:50:34 {layer}\n01:50:34 failed\n")
        Path(logs[2]).write_text(
            '01:00:00 rule\n01:00:01 Traceback (most recent call last):\n  File "x"\nKeyError: 3\n'
            "01:00:01 failed\n01:00:02 a warning at the end of the process\n"
        )
        assert failures(logs) == {layer: logs[0], "KeyError: 3": logs[2]}
        assert closing_words(logs).endswith(f"\nFailed: KeyError: 3\n  log: {logs[2]}\n")

    def test_a_log_that_only_begins_is_of_a_killed_job(self, tmp_path):
        log = tmp_path / "a.log"
        log.write_text("01:00:00 rule record {}\n01:00:00 versions {'numpy': '2'}, python 3.11, pid 7\n")
        assert failures([str(log)]) == {last_words.KILLED: str(log)}

    def test_what_a_killed_job_said_last_is_no_reason(self, tmp_path):
        log = tmp_path / "a.log"
        log.write_text("01:00:00 rule lab_train {}\n01:00:00 versions {}\n01:00:01 mine, seed 0: 1200 steps\n")
        assert failures([str(log)]) == {last_words.KILLED: str(log)}

    def test_a_log_of_another_program_ends_with_its_reason(self, tmp_path):
        log = tmp_path / "a.log"
        log.write_text("reading\n01:00:01 no such table\n")
        assert failures([str(log)]) == {"no such table": str(log)}

    def test_a_missing_log_causes_no_second_one(self):
        assert closing_words(["no/such.log"]) == "\nThe run failed: see the messages above.\n"

    def test_a_job_that_succeeds_when_it_is_tried_again_is_none(self):
        watch = Watch()
        for job, log in [(1, "a.log"), (2, "b.log")]:
            watch.emit(record(event=LogEvent.JOB_ERROR, jobid=job, log=[log, "cluster.log"]))
        watch.emit(record(event=LogEvent.JOB_ERROR, jobid=3, log=[]))
        watch.emit(record(event=LogEvent.JOB_FINISHED, job_id=1))
        assert watch.logs == {2: "b.log"}

    def test_an_interruption_is_none(self):
        watch = Watch()
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            watch.emit(record("Terminating"))
        assert watch.on_error() == last_words.INTERRUPTED


class TestFindings:
    def test_they_are_numbered(self, tmp_path):
        (tmp_path / "findings.json").write_text('[{"sentence": "a differs from b."}, {"sentence": "c is decided."}]')
        said = what_was_found(str(tmp_path / "findings.json"))
        assert said == "\nWhat this run found:\n  1. a differs from b.\n  2. c is decided.\n"
        assert what_was_found(str(tmp_path / "no.json")) == ""

    def test_a_run_that_wrote_neither_findings_nor_report_says_none(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        Path("results").mkdir()
        Path("results/findings.json").write_text('[{"sentence": "Nothing differs."}]')
        watch = Watch()
        assert watch.on_success() == ""
        Path("results/report.html").touch()
        assert watch.on_success().endswith("1. Nothing differs.\nThe whole report: results/report.html\n")


def test_events_have_the_names_that_snakemake_gives_them():
    assert (LogEvent.PROGRESS, LogEvent.JOB_ERROR, LogEvent.JOB_FINISHED) == (PROGRESS, "job_error", "job_finished")


def snakemake(folder: Path, rule: str) -> subprocess.CompletedProcess:
    """Snakemake on this rule and the real last words."""
    (folder / "Snakefile").write_text(TOY + rule)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--scheduler", "greedy"]
    return subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=120
    )


def test_a_failed_run_ends_with_the_message_and_its_log(tmp_path):
    done = snakemake(
        tmp_path,
        "rule all:\n    output: 'x'\n    log: 'x.log'\n"
        "    shell: \"echo '01:00:00 models → m: it is broken' > x.log; exit 3\"\n",
    )
    assert done.returncode == 1
    assert done.stdout.endswith("\nFailed: models → m: it is broken\n  log: x.log\n")


def test_a_run_ends_with_its_findings_and_its_report(tmp_path):
    findings = json.dumps([{"sentence": "a differs from b."}])
    done = snakemake(
        tmp_path,
        "rule all:\n    output: 'results/findings.json', 'results/report.html'\n"
        f"    run:\n        open(output[0], 'w').write({findings!r})\n        open(output[1], 'w').close()\n",
    )
    assert done.returncode == 0, done.stdout
    assert "1 of 1 steps (100%) done, the last one\n" in done.stdout
    ending = "\nWhat this run found:\n  1. a differs from b.\nThe whole report: results/report.html\n"
    assert done.stdout.endswith(ending)
    assert done.stdout.count(last_words.HEADING) == 1


def test_an_interrupted_run_ends_in_one_sentence(tmp_path):
    (tmp_path / "Snakefile").write_text(
        TOY + "rule all:\n    output: 'x'\n    shell: 'touch started; sleep 60; touch x'\n"
    )
    # As a terminal starts it: what a shell starts in the background ignores SIGINT, and children inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--scheduler", "greedy"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    run = subprocess.Popen(command, cwd=tmp_path, text=True, start_new_session=True, **pipes)
    signal.signal(signal.SIGINT, before)
    until = time.monotonic() + 60
    while not (tmp_path / "started").exists() and time.monotonic() < until:
        time.sleep(0.1)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 1
    assert said.endswith(last_words.INTERRUPTED)
    assert "Failed:" not in said


def test_a_run_with_a_lab_ends_with_its_claims_and_both_reports(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("results/lab/tables").mkdir(parents=True)
    watch = Watch()
    header = "experiment,claim,value,low,high,n_seeds,unit,bar,is_hard,verdict,deviation,status"
    Path(last_words.CLAIMS).write_text(f"{header}\njunk,Junk harms,0.1,0.1,0.1,1,1,≤ 0.2,True,met,,ok\n")
    Path(last_words.LAB_REPORT).touch()
    assert "MET" not in watch.on_success()  # of an earlier run with a lab
    watch.has_lab = True
    said = watch.on_success()
    assert "    MET          0.1 (1 seed; bar ≤ 0.2): Junk harms\n" in said
    assert said.endswith("The report of the lab: results/lab/report.html\n")
