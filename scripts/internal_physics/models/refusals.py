"""What libraries say about a file they cannot read, as an error that names the file. No heavy imports.

transformers, tokenizers, torch, gguf and bitsandbytes raise errors of any kind for a damaged or foreign file. Where
such a file is passed to them, any error means that the file, or a package, is at fault.
"""

import importlib.util
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from internal_physics.ground.errors import SourceError, UserError
from internal_physics.models.sentencepiece_files import sentencepiece_files

_LONGEST_REASON = 300  # characters
# Text in the libraries' messages → the missing package, by its name for pip.
_PACKAGES = {
    "sentencepiece": "sentencepiece",
    "tiktoken": "tiktoken",
    "protobuf": "protobuf",
    "mistral": "mistral-common",
}
_FOR_SENTENCEPIECE = ("sentencepiece", "protobuf")
_MODULES = {"protobuf": "google.protobuf"}


@contextmanager
def reading(failure: str, where: str | Path, error: type[UserError] = SourceError) -> Iterator[None]:
    """Turn what a library raises into a UserError of the kind `error`.

    Args:
        failure: what it means, as in "its tokenizer cannot be read"; the library's own words follow.
        where: the file or folder.
        error: kind of error to raise.

    Raises:
        UserError: unchanged, if the library code raises one itself; otherwise of the kind `error`.
    """
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as problem:
        raise _refusal(failure, where, problem, error) from problem
    except BaseException as problem:
        if type(problem).__name__ != "PanicException":  # of libraries in Rust; neither an interrupt nor an exit
            raise
        raise _refusal(failure, where, problem, error) from problem


@contextmanager
def naming(where: str | Path) -> Iterator[None]:
    """Have every UserError name a file or folder, where it does not yet.

    Args:
        where: what the work is about, in front of the error's own place.

    Raises:
        UserError: of the same kind, with the place.
    """
    try:
        yield
    except UserError as error:
        if str(where) in str(error):
            raise
        place = f"{where}: {error.where}" if error.where else str(where)
        raise type(error)(error.what, where=place, expected=error.expected, todo=error.todo) from error


def _refusal(failure: str, where: str | Path, problem: BaseException, error: type[UserError]) -> UserError:
    if lacking := _lacking_packages(problem, Path(where)):
        return error(
            f"{failure}: that needs {_listed(lacking)}, which {'is' if len(lacking) == 1 else 'are'} not installed",
            where=str(where),
            todo=f"pip install {' '.join(lacking)}",
        )
    said = reason_of(problem)
    if _missing_package(problem) == "tiktoken" and sentencepiece_files(where):
        said = "its SentencePiece model is damaged"  # transformers then takes it for one of tiktoken
    return error(f"{failure}: {said}", where=str(where), todo="fetch or copy it again, if it is damaged")


def _lacking_packages(problem: BaseException, where: Path) -> list[str]:
    """The packages that would read the file and are not installed.

    Without sentencepiece or protobuf transformers tries to read a SentencePiece model by tiktoken, in vain.
    """
    package = _missing_package(problem)
    if package in ("tiktoken", *_FOR_SENTENCEPIECE) and (package != "tiktoken" or sentencepiece_files(where)):
        return [name for name in _FOR_SENTENCEPIECE if not _is_installed(name)]
    return [package] if package and not _is_installed(package) else []


def _is_installed(package: str) -> bool:
    module = _MODULES.get(package, package.replace("-", "_"))
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of the module that it is in
        return False


def _listed(packages: list[str]) -> str:
    return f"the package{'s' if len(packages) > 1 else ''} {' and '.join(packages)}"


def reason_of(problem: BaseException) -> str:
    """The first sentence or so of an exception's message, in one line; its type if it has no message."""
    text = " ".join(str(problem).split()) or type(problem).__name__
    text = f"no {text}" if isinstance(problem, KeyError) else text
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"


def _missing_package(problem: BaseException | None) -> str:
    """The package that is needed to read a file, as named in a chain of exceptions; otherwise ""."""
    while problem is not None:
        said = str(problem).lower()
        for word, package in _PACKAGES.items():
            if word in said and (isinstance(problem, ImportError) or re.search(r"install|requires|not found", said)):
                return package
        problem = problem.__cause__ or problem.__context__
    return ""
