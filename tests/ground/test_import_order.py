"""The library's folders import one way, code that reads records needs no torch, and packages run nothing on import."""

import ast
from pathlib import Path

import pytest
from internal_physics.ground.closure import ROOT, library_files

LIBRARY = ROOT / "internal_physics"
# A folder imports from those before it, and from itself.
ORDER = (
    "ground",
    "statistics",
    "models",
    "config",
    "records",
    "steering",
    "recording",
    "tables",
    "figures",
    "families",
)
ORDER += ("lab", "plan", "report", "docs", "api", "metrics", "exports", "cli", "__main__")
LIGHT = ("ground", "statistics", "config", "records", "tables", "figures", "families", "plan", "report", "docs", "cli")
WITH_TORCH = {"families/thermodynamics/spectra.py"}
WITH_TORCH |= {f"families/information/{name}.py" for name in ("information", "lens", "distribution")}
WITH_TORCH |= {f"families/jacobian/{name}.py" for name in ("jacobian", "measure")}
HEAVY = {"torch", "transformers", "bitsandbytes", "accelerate", "gguf", "safetensors", "tokenizers"}
MAY_IMPORT_THE_REGISTRY = {"api", "plan", "docs", "report", "check_tables", "findings", "explorer"}
FILES = sorted(LIBRARY.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(LIBRARY).as_posix()


def imported(path: Path) -> set[str]:
    """Dotted names of the modules, and of the names from them, that a file imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def folder_of(name: str) -> str:
    return name.split("/", maxsplit=1)[0].removesuffix(".py")


def test_every_folder_has_its_place_in_the_order():
    assert {folder_of(name_of(path)) for path in FILES} - {"__init__"} == set(ORDER)


@pytest.mark.parametrize("folder", ORDER)
def test_no_import_runs_upward(folder):
    allowed = {*ORDER[: ORDER.index(folder) + 1]}
    upward = [
        f"{name_of(path)}: {name}"
        for path in FILES
        if folder_of(name_of(path)) == folder
        for name in imported(path)
        if name.startswith("internal_physics.") and name.split(".")[1] not in allowed
    ]
    assert upward == []


@pytest.mark.parametrize("path", [p for p in FILES if p.name == "__init__.py"], ids=name_of)
def test_a_package_runs_nothing_when_it_is_imported(path):
    """Its `__init__` is in the closure of every module below it, so code in it would make all of them stale."""
    (docstring, *code) = ast.parse(path.read_text(encoding="utf-8")).body
    assert isinstance(docstring, ast.Expr)
    assert isinstance(docstring.value, ast.Constant)
    if path.parent in (LIBRARY, LIBRARY / "figures", LIBRARY / "lab" / "data"):  # lazy names of the Python API
        assert {getattr(node, "name", "import") for node in code} == {"import", "__getattr__", "__dir__"}
    else:
        assert code == []


class TestTorch:
    @pytest.mark.parametrize("folder", LIGHT)
    def test_modules_that_read_records_do_not_import_torch(self, folder):
        """Neither directly nor through imported modules, not even inside a function."""
        modules = [path for path in FILES if folder_of(name_of(path)) == folder and path.name != "__init__.py"]
        with_torch = {name_of(path) for path in modules if reaches_heavy(path)}
        assert with_torch == {name for name in WITH_TORCH if folder_of(name) == folder}

    def test_the_generators_of_the_lab_do_not_import_torch(self):
        """A user makes data with them where nothing is trained."""
        generators = [path for path in (LIBRARY / "lab" / "data").rglob("*.py") if path.name != "__init__.py"]
        assert [name_of(path) for path in generators if reaches_heavy(path)] == []

    def test_modules_that_record_import_torch(self):
        assert reaches_heavy(LIBRARY / "recording" / "record.py")


def reaches_heavy(path: Path) -> bool:
    module = ".".join(path.relative_to(LIBRARY).with_suffix("").parts)
    files = [file for file in library_files([module]) if file.suffix == ".py"]
    return any({name.split(".")[0] for name in imported(file)} & HEAVY for file in files)


class TestFamilies:
    def test_only_modules_that_serve_all_families_import_the_registry(self):
        registry = "internal_physics.families.registry"
        files = [*FILES, *sorted(ROOT.glob("*.py"))]
        importers = {
            folder_of(path.relative_to(LIBRARY if path.is_relative_to(LIBRARY) else ROOT).as_posix())
            for path in files
            if any(f"{name}.".startswith(f"{registry}.") for name in imported(path))
        }
        assert "plan" in importers
        assert importers <= MAY_IMPORT_THE_REGISTRY

    def test_families_do_not_import_each_other_in_a_circle(self):
        rooms = {path.parent.name for path in (LIBRARY / "families").glob("*/family.py")}
        edges = {room: set() for room in rooms}
        for path in FILES:
            top, room, *_ = (*name_of(path).split("/"), "")
            if top == "families" and room in rooms:
                others = {
                    name.split(".")[2] for name in imported(path) if name.startswith("internal_physics.families.")
                }
                edges[room] |= others & rooms - {room}
        assert [a for a in rooms if a in reachable(a, edges)] == []


def reachable(start: str, edges: dict[str, set[str]]) -> set[str]:
    found, waiting = set(), [*edges[start]]
    while waiting:
        room = waiting.pop()
        if room not in found:
            found.add(room)
            waiting += edges[room]
    return found
