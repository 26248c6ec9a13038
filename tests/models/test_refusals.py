"""Errors of libraries become a UserError that names the file and, if one is missing, the package."""

import subprocess
import sys
from pathlib import Path

import pytest
from foreign_tokenizers import write_sentencepiece, write_tiktoken
from internal_physics.ground.errors import ModelError, SourceError
from internal_physics.models.refusals import reading, reason_of
from tiny_models import save_snapshot


class PanicException(BaseException):
    """The exception of libraries in Rust; its class cannot be imported."""


def refused(problem, **options):
    with pytest.raises(SourceError) as error, reading("it cannot be read", "some/file", **options):
        raise problem
    assert error.value.where == "some/file"
    assert error.value.__cause__ is problem
    return error.value


@pytest.mark.parametrize(
    "problem", [ValueError("no good"), Exception("no good"), AttributeError("no good"), PanicException("no good")]
)
def test_every_error_names_the_file(problem):
    assert refused(problem).what == "it cannot be read: no good"


def test_a_user_error_is_passed_on_unchanged():
    ours = ModelError("so it is", where="elsewhere")
    with pytest.raises(ModelError) as error, reading("it cannot be read", "some/file"):
        raise ours
    assert error.value is ours


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, MemoryError])
def test_errors_that_the_file_did_not_cause_are_passed_on(stop):
    with pytest.raises(stop), reading("it cannot be read", "some/file"):
        raise stop


def test_the_caller_chooses_the_kind_of_error():
    with pytest.raises(ModelError), reading("it cannot be read", "some/file", ModelError):
        raise ValueError


@pytest.mark.parametrize(
    ("problem", "package"),
    [
        (ImportError("LlamaTokenizer requires the SentencePiece library"), "sentencepiece"),
        (
            ValueError("`tiktoken` is required to read a `tiktoken` file. Install it with `pip install tiktoken`."),
            "tiktoken",
        ),
        (ImportError("X requires the protobuf library but it was not found"), "protobuf"),
        (ModuleNotFoundError("No module named 'sentencepiece'"), "sentencepiece"),
    ],
)
def test_a_missing_package_is_named(problem, package):
    error = refused(problem)
    assert error.what == f"it cannot be read: that needs the package {package}, which is not installed"
    assert error.todo == f"pip install {package}{' protobuf' if package == 'sentencepiece' else ''}"


def test_a_missing_package_is_found_behind_another_error():
    problem = ValueError("could not convert the tokenizer")
    problem.__cause__ = ModuleNotFoundError("No module named 'tiktoken'")
    assert "the package tiktoken" in refused(problem).what


def test_a_file_that_mentions_a_package_is_not_a_missing_package():
    assert "package" not in refused(ValueError("the sentencepiece model is damaged")).what


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (ValueError(""), "ValueError"),
        (KeyError("model_type"), "no 'model_type'"),
        (ValueError("two\n  lines"), "two lines"),
        (ValueError("x" * 1000), "x" * 300 + "…"),
    ],
)
def test_reasons_are_short(problem, reason):
    assert reason_of(problem) == reason


LOAD = """
import sys
sys.modules.update({name: None for name in ("sentencepiece", "tiktoken", "google.protobuf")})
import internal_physics as ip
from internal_physics.ground.errors import UserError
try:
    ip.load(sys.argv[1])
except UserError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("write", "package", "install"),
    [(write_sentencepiece, "sentencepiece", "sentencepiece protobuf"), (write_tiktoken, "tiktoken", "tiktoken")],
)
def test_a_tokenizer_of_a_kind_that_cannot_be_read_here_names_the_package(tmp_path, write, package, install):
    """In a process without the packages, whatever is installed."""
    folder = write(save_snapshot(tmp_path / "m"))
    scripts = Path(__file__).parents[2] / "scripts"
    command = [sys.executable, "-W", "ignore", "-c", LOAD, str(folder)]
    said = subprocess.run(command, env={"PYTHONPATH": str(scripts)}, capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [
        f"{folder}: its tokenizer cannot be read: that needs the package {package}, which is not installed",
        f"  what to do: pip install {install}",
    ]
