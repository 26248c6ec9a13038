"""Which library files a piece of code reaches: the import closure, read from source without importing anything.

Snakemake tracks a rule's script, not what it imports. Rules list this closure among their inputs, where files are
compared by checksum, so that an edited metric reruns exactly the rules that use it.
"""

import ast
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = Path(__file__).parent.name
DATA = (".mplstyle",)


def library_files(modules: Iterable[str]) -> list[Path]:
    """Files of the named modules (relative to the package: "metrics.isf") and of all they import from it, sorted.

    Raises:
        ModuleNotFoundError: for a module the package does not have.
    """
    return _closure([f"{PACKAGE}.{module}" for module in modules])


def script_files(script: str | Path) -> list[Path]:
    """Library files that a script reaches; the script itself is tracked by Snakemake."""
    return _closure(_imports(Path(script), module=""))


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
    """Data that belongs to a package: it lies beside the `__init__` and may be read by any of its modules."""
    return sorted(p for p in file.parent.iterdir() if p.suffix in DATA) if file.name == "__init__.py" else []


def _files_of(name: str) -> list[tuple[Path, str]]:
    """The module's file and the __init__ of every package on the way to it, each with its dotted name."""
    parts = name.split(".")
    found = []
    for i in range(1, len(parts) + 1):
        base = ROOT.joinpath(*parts[:i])
        dotted = ".".join(parts[:i])
        if base.is_dir():
            found.append((base / "__init__.py", dotted))
        elif base.with_suffix(".py").exists():
            found.append((base.with_suffix(".py"), dotted))
        elif i == len(parts) and i > 1:
            raise ModuleNotFoundError(f"the library has no module {name}")
    return found


@lru_cache
def _imports(file: Path, module: str) -> tuple[str, ...]:
    """Dotted names of the package's modules that a file imports, anywhere in it."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [name for name in submodules if _exists(name)] or [node.module]
            found += [node.module]
        elif isinstance(node, ast.ImportFrom) and node.level:
            raise ImportError(f"{file}: write imports from {PACKAGE} in full, relative ones are not tracked")
    return tuple(dict.fromkeys(name for name in found if name.split(".")[0] == PACKAGE))


def _exists(name: str) -> bool:
    base = ROOT.joinpath(*name.split("."))
    return base.is_dir() or base.with_suffix(".py").exists()
