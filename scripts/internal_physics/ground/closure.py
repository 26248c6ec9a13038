"""Which library files a script reaches (its import closure), and one checksum for what they do.

Snakemake tracks a rule's script, not what the script imports. Each rule therefore passes the checksum of its closure
as a parameter: a changed function makes exactly the rules stale that can reach it. Docstrings, comments and blank
lines do not count. Everything is read from source; nothing is imported.
"""

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = Path(__file__).parents[1].name
DATA = (".mplstyle",)


def code_checksum(script: str | Path, *modules: str) -> str:
    """SHA-256 of what a script and all library files in its closure do.

    Args:
        script: path of the script.
        *modules: further modules that the script loads by name, in full ("internal_physics.families.…").

    Raises:
        ModuleNotFoundError: for a module the library does not have.
        ImportError: for a relative import.
    """
    digest = hashlib.sha256(_checksum(Path(script)))
    for file in script_files(script, *modules):
        digest.update(file.relative_to(ROOT).as_posix().encode())
        digest.update(_checksum(file))
    return digest.hexdigest()


def script_files(script: str | Path, *modules: str) -> list[Path]:
    """Library files that a script reaches by its imports and by the named modules, sorted; not the script itself."""
    return _closure([*_imports(Path(script), module=""), *modules])


def library_files(modules: Iterable[str]) -> list[Path]:
    """Files of the named modules (relative to the package: "ground.files") and of all they import from it, sorted."""
    return _closure([f"{PACKAGE}.{module}" for module in modules])


def significant_source(text: str) -> str:
    """Python source without what has no effect: docstrings, comments, blank lines and trailing blanks.

    Source text is kept rather than a syntax tree, whose printed form differs between versions of Python.

    Raises:
        SyntaxError: if it is not Python.
    """
    lines = text.split("\n")
    for row, start, end in _insignificant(text):
        lines[row] = lines[row][:start] + " " * (end - start) + lines[row][end:]
    inside = _rows_that_end_in_a_string(ast.parse(text))
    return "\n".join(
        line if row in inside else line.rstrip() for row, line in enumerate(lines) if row in inside or line.strip()
    )


def _rows(node: ast.expr) -> range:
    """Rows of a text, from 0, that a parsed expression stands in."""
    return range(node.lineno - 1, node.end_lineno or node.lineno)


def _insignificant(text: str) -> Iterator[tuple[int, int, int]]:
    """Row, first and last column of every part of a line that belongs to a docstring or comment."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0] - 1, token.start[1], token.end[1]
    encoded = [line.encode() for line in text.split("\n")]
    for node in _docstrings(ast.parse(text)):
        for row in _rows(node):
            start = node.col_offset if row == _rows(node)[0] else 0
            end = node.end_col_offset if row == _rows(node)[-1] else len(encoded[row])
            yield row, len(encoded[row][:start].decode()), len(encoded[row][:end].decode())


def _rows_that_end_in_a_string(tree: ast.Module) -> set[int]:
    """Rows whose end is inside a multi-line string that is not a docstring: their trailing blanks count."""
    docstrings = {id(node) for node in _docstrings(tree)}
    strings = [
        node
        for node in ast.walk(tree)
        if (isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)))
        and id(node) not in docstrings
    ]
    return {row for node in strings for row in _rows(node)[:-1]}


def _docstrings(tree: ast.Module) -> Iterator[ast.expr]:
    """The docstrings of a module and of its classes and functions."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = node.body[0] if node.body else None
        if ast.get_docstring(node, clean=False) is not None and isinstance(first, ast.Expr):
            yield first.value


@lru_cache
def _checksum(file: Path) -> bytes:
    content = file.read_bytes()
    if file.suffix == ".py":
        content = significant_source(content.decode()).encode()
    return hashlib.sha256(content).digest()


def _closure(names: Iterable[str]) -> list[Path]:
    reached: set[Path] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        for file, module in _files_of(name):
            if file not in reached:
                reached.add(file)
                waiting += _imports(file, module)
    return sorted(reached.union(*map(_data_beside, reached)))


def _data_beside(file: Path) -> list[Path]:
    """Data files of a package, next to its `__init__`; any of its modules may read them."""
    return sorted(p for p in file.parent.iterdir() if p.suffix in DATA) if file.name == "__init__.py" else []


def _files_of(name: str) -> list[tuple[Path, str]]:
    """The module's file and the `__init__`, if any, of every package on the way to it, each with its dotted name."""
    parts = name.split(".")
    files = []
    for i in range(1, len(parts) + 1):
        base = ROOT.joinpath(*parts[:i])
        dotted = ".".join(parts[:i])
        if base.is_dir():
            files += [(file, dotted) for file in [base / "__init__.py"] if file.exists()]
        elif base.with_suffix(".py").exists():
            files.append((base.with_suffix(".py"), dotted))
        elif i == len(parts) and i > 1:
            raise ModuleNotFoundError(f"the library has no module {name}")
    return files


@lru_cache
def _imports(file: Path, module: str) -> tuple[str, ...]:
    """Dotted names of the package's modules that a file imports, anywhere in it."""
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            names += [name for name in submodules if _exists(name)] or [node.module]
            names += [node.module]
        elif isinstance(node, ast.ImportFrom) and node.level:
            raise ImportError(f"{file}: write imports from {PACKAGE} in full, relative ones are not tracked")
    return tuple(dict.fromkeys(name for name in names if name.split(".")[0] == PACKAGE))


def _exists(name: str) -> bool:
    base = ROOT.joinpath(*name.split("."))
    return base.is_dir() or base.with_suffix(".py").exists()
