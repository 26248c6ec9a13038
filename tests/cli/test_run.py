"""Command `run`: refusals before any work, and the end of a run that failed, was interrupted or has nothing to do."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from internal_physics.cli import run as verb
from internal_physics.cli.commands import main
from internal_physics.cli.last_words import HEADING, INTERRUPTED, closing_words
from internal_physics.cli.outcome import outcome

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


class TestReadOnly:
    @pytest.fixture
    def started(self, tmp_path, monkeypatch):
        """Runs that were started in a folder with read-only results; `access`, because tests may run as root."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "my.yaml").write_text(GOOD)
        (tmp_path / "results").mkdir()
        may = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: str(path) != "results" and may(path, mode))
        started = []
        monkeypatch.setattr(verb, "is_deployed", lambda _folder: True)
        monkeypatch.setattr(verb, "run_checked", lambda *given: started.append(given) or 0)
        return started

    def test_a_run_is_refused_in_a_sentence_before_it_starts(self, started, tmp_path, capsys):
        assert main(["run", "my.yaml"]) == 1
        assert f"{tmp_path / 'results'}: nothing may be written here" in capsys.readouterr().out
        assert not started

    def test_a_dry_run_only_reads(self, started):
        assert main(["run", "my.yaml", "--dry-run"]) == 0
        assert len(started) == 1


@pytest.mark.parametrize("folder", ["empty", "mistyped"])
@pytest.mark.parametrize("text", [None, "models:\n  m: {source: 'x'\n"], ids=["missing", "syntax"])
def test_nothing_is_written_for_a_config_that_is_not_there_or_cannot_be_read(
    tmp_path, monkeypatch, capsys, folder, text
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    if text is not None:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "my.yaml").write_text(text)
    before = sorted(tmp_path.rglob("*"))
    assert main(["run", folder, "my.yaml", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["outcome"] == "refused"
    assert found["message"].startswith(
        f"{folder}/my.yaml: " + ("there is no such file" if text is None else "not valid")
    )
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("config", ["config.yaml", "config/lab.yaml"])
def test_what_will_be_written_is_said_before_it_is(tmp_path, monkeypatch, config):
    """A folder that does not exist is made only for a config that the workflow brings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(verb, "run_checked", lambda *_: 0)
    said = []

    def say(text: str) -> None:
        said.append((text, (tmp_path / "new").exists()))

    monkeypatch.setattr(verb, "_print", say)
    assert verb.run_in("new", config, "1") == 0
    (before, was_there), (after, is_there) = said
    n_files = sum(path.is_file() for path in (tmp_path / "new").rglob("*"))
    written = f"{n_files} files of the workflow are written into it, with its own {config}.\n"
    assert before == f"{tmp_path / 'new'} does not exist: {written}"
    assert (was_there, is_there) == (False, True)
    assert after == f"Deployed the workflow into {tmp_path / 'new'}: {n_files} files.\n"


def test_json_says_how_a_run_ended_and_snakemake_speaks_to_stderr(tmp_path, monkeypatch, capsys):
    (tmp_path / "results").mkdir()
    (tmp_path / "results/findings.json").write_text('[{"sentence": "a differs from b.", "value": 2.5}]')
    (tmp_path / "results/report.html").write_text("<html>")
    (tmp_path / "Snakefile").write_text("rule all:\n    input: 'results/findings.json'\n")
    (tmp_path / "my.yaml").write_text(GOOD)
    assert main(["run", str(tmp_path), "my.yaml", "--cores", "1", "--json"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert (found["outcome"], found["exit_status"], found["report"]) == ("finished", 0, "results/report.html")
    assert found["findings"] == [{"sentence": "a differs from b.", "value": 2.5}]
    assert HEADING in captured.err
    (tmp_path / "my.yaml").write_text(GOOD.replace("metrics", "metrcs"))
    assert main(["run", str(tmp_path), "my.yaml", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["outcome"], found["findings"], found["report"]) == ("refused", [], None)
    assert "did you mean 'metrics'" in found["message"]


def test_a_failed_run_is_told_with_the_message_and_log_of_each_failure(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    logs = [tmp_path / "a.log", tmp_path / "b.log"]
    for log in logs:
        log.write_text(f"12:00:00 {log.stem}: the disk is full\n  what to do: make room\n")
    found = outcome(1, "Building\n" + closing_words(map(str, logs)) + "end\n", "my.yaml")
    assert found["outcome"] == "failed"
    assert found["failures"] == [
        {"message": f"{log.stem}: the disk is full\n  what to do: make room", "log": str(log)} for log in logs
    ]
    assert outcome(verb.STATUS_OF_INTERRUPTION, "", "my.yaml")["outcome"] == "interrupted"


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


def test_an_interrupted_run_ends_in_one_sentence(tmp_path, interruptible):
    run = started(tmp_path, "rule all:\n    output: 'x'\n    shell: 'touch started; sleep 60; touch x'\n")
    until = time.monotonic() + 60
    while not (tmp_path / "started").exists() and time.monotonic() < until:
        time.sleep(0.1)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does
    said, _ = run.communicate(timeout=120)
    assert run.returncode == verb.STATUS_OF_INTERRUPTION
    assert said.endswith(INTERRUPTED)
    assert "Traceback" not in said


RUN = """import sys
sys.path.insert(0, {scripts!r})
from snakemake.logging import logger
include: {rules!r}
rule all:
    output: 'results/findings.json'
    shell: "echo '[{{{{\\"sentence\\": \\"a differs from b.\\"}}}}]' > {{output}}"
"""


def test_findings_are_said_once_also_where_nothing_is_to_be_done(tmp_path):
    snakefile = RUN.format(scripts=str(SCRIPTS), rules=str(SCRIPTS.parent / "rules" / "last_words.smk"))
    for _ in range(2):
        run = started(tmp_path, snakefile)
        said, _ = run.communicate(timeout=120)
        assert run.returncode == 0
        assert said.endswith(f"\n{HEADING}\n  1. a differs from b.\n")
        assert said.count(HEADING) == 1


def test_a_failed_run_ends_with_the_status_of_snakemake_and_nothing_is_said_twice(tmp_path):
    run = started(tmp_path, "rule all:\n    input: 'nowhere'\n")
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 1
    assert said.count("nowhere") == 1
