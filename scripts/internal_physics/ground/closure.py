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
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = Path(__file__).parents[1].name
DATA = (".mplstyle", ".css", ".js", ".j2")
_WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_TELLING = (ast.Constant, ast.JoinedStr, ast.Import, ast.ImportFrom, *_WITH_DOCSTRING)
_LEAVES = frozenset((ast.Name, ast.Load, ast.Store, ast.Del, ast.alias))  # nothing beneath them tells anything
Span = tuple[int, int, int, int]  # of a text: first row and column, last row and column; from 0, columns in bytes


def code_checksum(script: str | Path, *modules: str) -> str:
    """SHA-256 of what a script and all library files in its closure do.

    Args:
        script: path of the script.
        *modules: further modules that the script loads by name, in full ("internal_physics.families.…").

    Raises:
        ModuleNotFoundError: for a module the library does not have.
        ImportError: for a relative import.
    """
    digest = hashlib.sha256(_read(Path(script))[0])
    for file in script_files(script, *modules):
        digest.update(_named_checksum(file, ROOT))
    return digest.hexdigest()


def script_files(script: str | Path, *modules: str) -> list[Path]:
    """Library files that a script reaches by its imports and by the named modules, sorted; not the script itself."""
    return _closure([*_read(Path(script))[1], *modules])


def library_files(modules: Iterable[str]) -> list[Path]:
    """Files of the named modules (relative to the package: "ground.files") and of all they import from it, sorted."""
    return _closure([f"{PACKAGE}.{module}" for module in modules])


def significant_source(text: str) -> str:
    """Python source without what has no effect: docstrings, comments, blank lines and trailing blanks.

    Source text is kept rather than a syntax tree, whose printed form differs between versions of Python.

    Raises:
        SyntaxError: if it is not Python.
    """
    return _significant(text, _telling_nodes(ast.parse(text)))


def _significant(text: str, nodes: Iterable[ast.AST]) -> str:
    """`significant_source` of a text whose syntax tree has these nodes."""
    docstrings, strings = _spans_of_strings(nodes)
    lines = [line.encode() for line in text.split("\n")]
    for row, column in _comments(text, lines, docstrings, strings).items():
        lines[row] = lines[row][:column]
    for row, start, end in _by_row(docstrings, lines):
        lines[row] = lines[row][:start] + b" " * len(lines[row][start:end].decode()) + lines[row][end:]
    inside = {row for first, _, last, _ in strings for row in range(first, last)}  # where trailing blanks count
    kept = [(row in inside, line.decode()) for row, line in enumerate(lines)]
    return "\n".join(line if is_inside else line.rstrip() for is_inside, line in kept if is_inside or line.strip())


def _telling_nodes(tree: ast.AST) -> list[ast.AST]:
    """Strings, imports, and what may have a docstring, anywhere in a tree.

    `ast.walk` spends most of its time on names and operators, and Snakemake waits for it at every start.
    """
    found: list[ast.AST] = []
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, _TELLING):
            found.append(node)
        for name in node._fields:
            value = getattr(node, name, None)
            if type(value) is list:
                waiting += [item for item in value if isinstance(item, ast.AST) and type(item) not in _LEAVES]
            elif isinstance(value, ast.AST) and type(value) not in _LEAVES:
                waiting.append(value)
    return found


def _spans_of_strings(nodes: Iterable[ast.AST]) -> tuple[set[Span], set[Span]]:
    """Where docstrings stand, and all other strings. One that is written in several parts counts as one."""
    docstrings, strings = set(), set()
    for node in nodes:
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)):
            strings.add(_span(node))
        elif isinstance(node, _WITH_DOCSTRING):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                docstrings |= {_span(first.value)} if isinstance(first.value.value, str) else set()
    return docstrings, strings - docstrings


def _span(node: ast.expr) -> Span:
    last_row = node.end_lineno or node.lineno
    return node.lineno - 1, node.col_offset, last_row - 1, node.end_col_offset or node.col_offset


def _by_row(spans: Iterable[Span], lines: list[bytes]) -> Iterator[tuple[int, int, int]]:
    """Row, first and last column of every part of a line that these spans cover."""
    for first, start, last, end in spans:
        for row in range(first, last + 1):
            yield row, start if row == first else 0, end if row == last else len(lines[row])


def _comments(text: str, lines: list[bytes], docstrings: set[Span], strings: set[Span]) -> dict[int, int]:
    """Row → column in bytes where its comment begins: at the first # outside of strings.

    Between the parts of one string a comment may stand too. Where a string covers a #, the slower tokenizer decides.
    """
    bare = list(lines)
    for row, start, end in _by_row(docstrings, lines):
        bare[row] = bare[row][:start] + b" " * (end - start) + bare[row][end:]
    for row, start, end in _by_row(strings, lines):
        if b"#" in bare[row][start:end]:
            return _tokenized_comments(text, lines)
    return {row: line.index(b"#") for row, line in enumerate(bare) if b"#" in line}


def _tokenized_comments(text: str, lines: list[bytes]) -> dict[int, int]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    starts = [token.start for token in tokens if token.type == tokenize.COMMENT]
    return {row - 1: len(lines[row - 1].decode()[:column].encode()) for row, column in starts}


@cache
def _read(file: Path) -> tuple[bytes, tuple[str, ...]]:
    """Checksum of what a file does, and dotted names of the package's modules that it imports, anywhere in it."""
    content = file.read_bytes()
    if file.suffix != ".py":
        return hashlib.sha256(content).digest(), ()
    text = content.decode()
    nodes = _telling_nodes(ast.parse(text))
    return hashlib.sha256(_significant(text, nodes).encode()).digest(), _imports(file, nodes)


@cache
def _named_checksum(file: Path, root: Path) -> bytes:
    return file.relative_to(root).as_posix().encode() + _read(file)[0]


def _closure(names: Iterable[str]) -> list[Path]:
    reached: set[Path] = set()
    waiting = list(names)
    while waiting:
        for file in _files_of(waiting.pop(), ROOT):
            if file not in reached:
                reached.add(file)
                waiting += _read(file)[1]
    return sorted(reached.union(*map(_data_beside, reached)))


@cache
def _data_beside(file: Path) -> tuple[Path, ...]:
    """Data files of a package, next to its `__init__`; any of its modules may read them."""
    return tuple(p for p in file.parent.iterdir() if p.suffix in DATA) if file.name == "__init__.py" else ()


@cache
def _files_of(name: str, root: Path) -> tuple[Path, ...]:
    """The module's file and the `__init__`, if any, of every package on the way to it."""
    parts = name.split(".")
    files = []
    for i in range(1, len(parts) + 1):
        base = root.joinpath(*parts[:i])
        if base.is_dir():
            files += [file for file in [base / "__init__.py"] if file.exists()]
        elif base.with_suffix(".py").exists():
            files.append(base.with_suffix(".py"))
        elif i == len(parts) and i > 1:
            raise ModuleNotFoundError(f"the library has no module {name}")
    return tuple(files)


def _imports(file: Path, nodes: Iterable[ast.AST]) -> tuple[str, ...]:
    names: list[str] = []
    for node in nodes:
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
