"""What libraries say about a file they cannot read, as an error that names the file. No heavy imports.

transformers, tokenizers, torch, gguf and bitsandbytes raise errors of any kind for a damaged or foreign file. Where
such a file is passed to them, any error means that the file, or a package, is at fault.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from internal_physics.ground.errors import SourceError, UserError

_LONGEST_REASON = 300  # characters
# Text in the libraries' messages → the missing package, by its name for pip.
_PACKAGES = {
    "sentencepiece": "sentencepiece",
    "tiktoken": "tiktoken",
    "protobuf": "protobuf",
    "mistral": "mistral-common",
}
_WITH = {"sentencepiece": " protobuf"}  # what a package needs to read these files, and does not bring
_PIECE = b"\x0a"  # a SentencePiece model begins with its first piece


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


def _refusal(failure: str, where: str | Path, problem: BaseException, error: type[UserError]) -> UserError:
    if package := _missing_package(problem):
        package = "sentencepiece" if package == "tiktoken" and _has_sentencepiece_model(Path(where)) else package
        return error(
            f"{failure}: that needs the package {package}, which is not installed",
            where=str(where),
            todo=f"pip install {package}{_WITH.get(package, '')}",
        )
    return error(f"{failure}: {reason_of(problem)}", where=str(where), todo="fetch or copy it again, if it is damaged")


def _has_sentencepiece_model(folder: Path) -> bool:
    """Whether the tokenizer is a SentencePiece model; without that package transformers tries tiktoken, in vain."""
    files = [path for pattern in ("*.model", "*.spm") for path in folder.glob(pattern)]
    return any(path.read_bytes()[:1] == _PIECE for path in files)


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
