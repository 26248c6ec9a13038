"""Command `run`: refusals before any work, the time left, and the end of a failed or interrupted run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from internal_physics.__main__ import main
from internal_physics.cli import run as verb
from internal_physics.cli.progress import Progress, failures, words_of

SCRIPTS = Path(verb.__file__).parents[2]
GOOD = """models:
  m: {source: "path:."}
metrics: [ec]
prompt_sets:
  s: {prompts: [{name: a, text: one two}]}
"""


def refused(tmp_path, monkeypatch, capsys, text: str | None) -> str:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "my.yaml").write_text(text)
    monkeypatch.setattr(subprocess, "Popen", lambda *_a, **_k: pytest.fail("Snakemake was started"))
    assert main(["run", "my.yaml"]) == 1
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "my.yaml: there is no such file"),
        (
            "models:\n  m: {source: 'x'\nprompt_sets: {}\n",
            "my.yaml: not valid YAML: while parsing a flow mapping, did not find",
        ),
        ("models: {}\nmodels: {}\n", "line 2"),
        (GOOD.replace("metrics", "metrcs"), "did you mean 'metrics'"),
        (GOOD.replace("path:.", "path:no/model"), "my.yaml: models → m → source: there is no file or folder no/model"),
    ],
    ids=["missing", "syntax", "key twice", "typo", "no model"],
)
def test_a_wrong_config_is_refused_before_any_job_runs(tmp_path, monkeypatch, capsys, text, message):
    said = refused(tmp_path, monkeypatch, capsys, text)
    assert message in said
    assert "Traceback" not in said


def test_the_time_left_is_shown_beside_the_steps():
    now = [0.0]
    progress = Progress(lambda: now[0])
    now[0] = 30.0
    assert progress.read("1 of 5 steps (20%) done\n") == "1 of 5 steps (20%) done, about 2 min left\n"
    assert progress.read("1 of 11 steps (9%) done\n") == "1 of 11 steps (9%) done\n"  # too early to tell
    now[0] = 40.0
    assert progress.read("4 of 5 steps (80%) done\n") == "4 of 5 steps (80%) done, about 10 s left\n"
    assert progress.read("5 of 5 steps (100%) done\n").endswith("done, the last one\n")
    assert progress.read("something else\n") == "something else\n"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (59.4, "59 s"), (90, "2 min"), (3599, "1 h 0 min"), (12000, "3 h 20 min")]
)
def test_durations_are_read_at_a_glance(seconds, words):
    assert words_of(seconds) == words


ERROR = (
    "Error in rule record_0_s:\n    message: None\n    jobid: 3\n    log: {} (check log file(s) for error details)\n"
)


def test_each_failure_is_reported_once_with_its_log(tmp_path):
    logs = [str(tmp_path / f"{name}.log") for name in ("a", "b", "c")]
    layer = "conditions → push → layers: there is no layer 9\n  expected: 0 to 3"
    refusal = f"01:50:33 self-check passed\n01:50:34 {layer}\n"
    for log in logs[:2]:
        Path(log).write_text(refusal)
    Path(logs[2]).write_text('01:00:00 rule\n01:00:01 Traceback (most recent call last):\n  File "x"\nKeyError: 3\n')
    progress = Progress()
    for line in "".join(ERROR.format(log) for log in logs).splitlines(keepends=True):
        assert progress.read(line) == line
    assert progress.logs == logs
    assert failures(progress.logs) == {layer: logs[0], "KeyError: 3": logs[2]}
    assert verb.closing_words(progress.logs).endswith(f"\nFailed: KeyError: 3\n  log: {logs[2]}\n")


def test_a_missing_log_causes_no_second_failure():
    assert verb.closing_words(["no/such.log"]) == "\nThe run failed: see the messages above.\n"


@pytest.fixture
def interruptible():
    """SIGINT as in a terminal: a shell starts jobs in the background with it ignored, and children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def started(tmp_path, snakefile: str) -> subprocess.Popen:
    (tmp_path / "Snakefile").write_text(snakefile)
    (tmp_path / "my.yaml").write_text(GOOD)
    command = [sys.executable, "-m", "internal_physics", "run", "my.yaml", "--cores", "1"]
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_a_failed_run_ends_with_the_message_and_its_log(tmp_path):
    run = started(
        tmp_path,
        "rule all:\n    output: 'x'\n    log: 'x.log'\n"
        "    shell: \"echo '01:00:00 models → m: it is broken' > x.log; exit 3\"\n",
    )
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 1
    assert said.endswith("\nFailed: models → m: it is broken\n  log: x.log\n")


def test_an_interrupted_run_ends_in_one_sentence(tmp_path, interruptible):
    run = started(tmp_path, "rule all:\n    output: 'x'\n    shell: 'touch started; sleep 60; touch x'\n")
    until = time.monotonic() + 60
    while not (tmp_path / "started").exists() and time.monotonic() < until:
        time.sleep(0.1)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does
    said, _ = run.communicate(timeout=120)
    assert run.returncode == verb.INTERRUPTED
    assert said.endswith("\nInterrupted. What is finished is kept: start again with the same command.\n")
    assert "Traceback" not in said


def test_a_successful_run_ends_with_status_zero(tmp_path):
    run = started(tmp_path, "rule all:\n    output: 'x'\n    shell: 'touch x'\n")
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 0
    assert "1 of 1 steps (100%) done, the last one" in said


def test_a_run_ends_with_its_findings(tmp_path):
    (tmp_path / "findings.json").write_text('[{"sentence": "a differs from b."}, {"sentence": "c is decided."}]')
    said = verb.what_was_found(str(tmp_path / "findings.json"))
    assert said.startswith("\nWhat this run found:\n  1. a differs from b.\n  2. c is decided.\n")
    assert verb.what_was_found(str(tmp_path / "no.json")) == ""
