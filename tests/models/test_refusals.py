"""Errors of libraries become a UserError that names the file and, if one is missing, the package."""

import subprocess
import sys
from pathlib import Path

import pytest
from foreign_tokenizers import write_sentencepiece, write_tiktoken
from internal_physics.ground.errors import ModelError, SourceError
from internal_physics.models import refusals
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


SENTENCEPIECE = ["sentencepiece", "protobuf"]


@pytest.fixture
def nothing_installed(monkeypatch):
    """As in an environment without any of the packages, whatever is installed here."""
    monkeypatch.setattr(refusals, "_is_installed", lambda package: False)


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize(
    ("problem", "packages"),
    [
        (ImportError("LlamaTokenizer requires the SentencePiece library"), SENTENCEPIECE),
        (
            ValueError("`tiktoken` is required to read a `tiktoken` file. Install it with `pip install tiktoken`."),
            ["tiktoken"],
        ),
        (ImportError("X requires the protobuf library but it was not found"), SENTENCEPIECE),
        (ModuleNotFoundError("No module named 'sentencepiece'"), SENTENCEPIECE),
    ],
)
def test_missing_packages_are_named(problem, packages):
    error = refused(problem)
    named = f"packages {' and '.join(packages)}, which are" if len(packages) > 1 else f"package {packages[0]}, which is"
    assert error.what == f"it cannot be read: that needs the {named} not installed"
    assert error.todo == f"pip install {' '.join(packages)}"


@pytest.mark.usefixtures("nothing_installed")
def test_a_missing_package_is_found_behind_another_error():
    problem = ValueError("could not convert the tokenizer")
    problem.__cause__ = ModuleNotFoundError("No module named 'tiktoken'")
    assert "the package tiktoken" in refused(problem).what


def test_only_the_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(refusals, "_is_installed", lambda package: package == "sentencepiece")
    error = refused(ImportError("X requires the protobuf library but it was not found"))
    assert error.todo == "pip install protobuf"


def test_a_package_that_is_installed_is_not_missing(monkeypatch):
    monkeypatch.setattr(refusals, "_is_installed", lambda package: True)
    error = refused(ImportError("cannot import name 'X' from 'sentencepiece'"))
    assert error.what == "it cannot be read: cannot import name 'X' from 'sentencepiece'"


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
for folder in sys.argv[1:]:
    try:
        ip.load(folder)
    except UserError as error:
        print(error)
"""


def test_tokenizers_of_kinds_that_cannot_be_read_here_name_the_packages(tmp_path):
    """In a process without the packages, whatever is installed."""
    folders = [write(save_snapshot(tmp_path / write.__name__)) for write in (write_sentencepiece, write_tiktoken)]
    scripts = Path(__file__).parents[2] / "scripts"
    command = [sys.executable, "-W", "ignore", "-c", LOAD, *map(str, folders)]
    said = subprocess.run(command, env={"PYTHONPATH": str(scripts)}, capture_output=True, text=True, check=True).stdout
    packages = "packages sentencepiece and protobuf, which are"
    assert said.splitlines() == [
        f"{folders[0]}: its tokenizer cannot be read: that needs the {packages} not installed",
        "  what to do: pip install sentencepiece protobuf",
        f"{folders[1]}: its tokenizer cannot be read: that needs the package tiktoken, which is not installed",
        "  what to do: pip install tiktoken",
    ]
