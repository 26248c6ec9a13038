"""The frame around a job: a log of what ran, plain messages for users, tracebacks for developers, no secrets."""

import gc
import logging
import warnings
from types import SimpleNamespace

import pytest
from internal_physics.ground.errors import ConfigError
from internal_physics.ground.joblog import FAILED, forward, job

TOKEN = "hf_planted_and_never_to_be_seen"


@pytest.fixture(autouse=True)
def logging_as_it_was():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "job.log"


def snakemake(log, **wildcards):
    return SimpleNamespace(rule="ec", log=[str(log)] if log else [], wildcards=wildcards)


def run(log, body=lambda: None, **wildcards):
    with job(snakemake(log, **wildcards)):
        body()


def fail(error):
    raise error


def test_the_log_says_what_ran_with_which_versions_and_that_it_ended(log):
    run(log, model="m", condition="baseline")
    text = log.read_text(encoding="utf-8")
    assert "rule ec {'model': 'm', 'condition': 'baseline'}" in text
    assert "'numpy': '" in text
    assert text.rstrip().endswith("done")


def test_messages_and_warnings_of_the_library_are_in_the_log(log):
    def body():
        logging.getLogger("internal_physics").info("found something")
        warnings.warn("beware", stacklevel=1)

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        run(log, body)
    text = log.read_text(encoding="utf-8")
    assert "found something" in text
    assert "beware" in text


def test_an_error_of_the_user_is_shown_in_sentences_without_traceback(log, capfd):
    error = ConfigError("found X", where="here", expected="Y", todo="write Y")
    with pytest.raises(SystemExit) as ended:
        run(log, lambda: fail(error))
    assert ended.value.code == 1
    for text in (log.read_text(encoding="utf-8"), capfd.readouterr().err):
        assert "here: found X\n  expected: Y\n  what to do: write Y" in text
        assert "Traceback" not in text
        assert "done" not in text


def test_an_error_of_the_program_leaves_its_traceback_in_the_log(log, capfd):
    with pytest.raises(SystemExit) as ended:
        run(log, lambda: fail(ZeroDivisionError("a bug")))
    assert ended.value.code == 1
    for text in (log.read_text(encoding="utf-8"), capfd.readouterr().err):
        assert "Traceback" in text
        assert "ZeroDivisionError: a bug" in text


@pytest.mark.parametrize("error", [ConfigError("found X", where="here"), ZeroDivisionError("a bug")])
def test_the_last_entry_says_that_a_job_failed_so_that_a_killed_one_is_told_from_it(log, error):
    with pytest.raises(SystemExit):
        run(log, lambda: fail(error))
    assert log.read_text(encoding="utf-8").splitlines()[-1].endswith(f" {FAILED}")


def test_an_interruption_is_not_swallowed(log):
    with pytest.raises(KeyboardInterrupt):
        run(log, lambda: fail(KeyboardInterrupt()))
    assert FAILED not in log.read_text(encoding="utf-8")


def test_a_successful_job_prints_nothing(log, capfd):
    run(log)
    assert capfd.readouterr() == ("", "")


def test_a_second_try_starts_a_new_log(log):
    run(log, model="first")
    run(log, model="second")
    assert "first" not in log.read_text(encoding="utf-8")


def test_a_rule_without_log_can_run(capfd):
    run(None)
    assert capfd.readouterr().out == ""


def test_no_token_of_the_environment_is_logged(log, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    run(log)
    assert TOKEN not in log.read_text(encoding="utf-8")


def test_messages_of_the_library_are_passed_on_formatted():
    said = logging.getLogger("a workflow's")
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    said.addHandler(handler)
    said.setLevel(logging.INFO)
    library = logging.getLogger("internal_physics")
    kept = library.handlers, library.level
    try:
        forward(said)
        forward(said)
        library.info("%s: %d prompts", "a.csv", 3)
        library.warning("look")
        library.debug("not this")
        forward(None)
        library.warning("nor this")
    finally:
        library.handlers, library.level = kept
    assert [(r.levelname, r.msg, r.args) for r in records] == [
        ("INFO", "a.csv: 3 prompts", ()),
        ("WARNING", "look", ()),
    ]


def test_garbage_is_looked_for_in_a_job_and_not_among_its_modules(log):
    """As it was before, afterwards: this process goes on, which a job's does not."""
    counts = []
    gc.disable()
    try:
        run(log, lambda: counts.append((gc.isenabled(), gc.get_freeze_count() > 1000)))
        assert counts == [(True, True)]
        assert len(gc.get_objects()) < 1000  # a process that ended now would look through no more
    finally:
        gc.enable()
        gc.unfreeze()
