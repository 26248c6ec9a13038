"""The import closure: exactly the modules that a file reaches, read from source without running it."""

import pytest
from internal_physics.ground import closure
from internal_physics.ground.closure import ROOT, library_files, script_files


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Replace the library by an empty package; returns a function that writes its files."""
    monkeypatch.setattr(closure, "ROOT", tmp_path)

    def write(**files):
        for name, text in {"__init__": "", **files}.items():
            path = tmp_path / "internal_physics" / f"{name.replace('__dot__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "internal_physics"

    return write


def names(files, root):
    return {path.relative_to(root).as_posix() for path in files}


def test_imports_are_followed_to_the_end(package):
    root = package(
        a="from internal_physics.b import x", b="import internal_physics.c as c", c="import numpy", d="raise Exception"
    )
    assert names(library_files(["a"]), root) == {"__init__.py", "a.py", "b.py", "c.py"}
    assert names(library_files(["c"]), root) == {"__init__.py", "c.py"}


def test_modules_that_import_each_other_are_followed_once(package):
    root = package(a="import internal_physics.b", b="import internal_physics.a")
    assert names(library_files(["a"]), root) == {"__init__.py", "a.py", "b.py"}


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    from internal_physics.b import x",
        "if True:\n    import internal_physics.b",
        "try:\n    from internal_physics import b\nexcept ImportError:\n    pass",
        "class A:\n    from internal_physics import (\n        b,\n    )",
    ],
)
def test_an_import_counts_wherever_it_is_written(package, text):
    root = package(a=text, b="")
    assert "b.py" in names(library_files(["a"]), root)


def test_the_packages_of_a_module_count(package):
    root = package(a="from internal_physics.sub.m import x", sub__dot____init__="import internal_physics.b", b="")
    (root / "sub" / "m.py").write_text("")
    found = names(library_files(["a"]), root)
    assert found == {"__init__.py", "a.py", "b.py", "sub/__init__.py", "sub/m.py"}


def test_a_name_imported_from_a_package_is_a_module_or_defined_by_the_package(package):
    sub = {"sub__dot____init__": "VALUE = 1", "sub__dot__m": "", "sub__dot__n": ""}
    root = package(a="from internal_physics.sub import m, VALUE", **sub)
    assert names(library_files(["a"]), root) == {"__init__.py", "a.py", "sub/__init__.py", "sub/m.py"}


def test_the_data_beside_a_module_counts_with_its_package(package):
    root = package(a="from internal_physics.sub.m import x", sub__dot____init__="", sub__dot__m="", b="")
    (root / "sub" / "house.mplstyle").write_text("")
    assert "sub/house.mplstyle" in names(library_files(["a"]), root)
    assert "sub/house.mplstyle" not in names(library_files(["b"]), root)


def test_a_relative_import_is_refused_since_it_would_not_be_tracked(package):
    package(a="from . import b", b="")
    with pytest.raises(ImportError, match=r"a\.py: write imports from internal_physics in full"):
        library_files(["a"])


def test_a_missing_module_is_named(package):
    package(a="import internal_physics.gone")
    with pytest.raises(ModuleNotFoundError, match=r"the library has no module internal_physics\.gone"):
        library_files(["a"])


def test_a_script_reaches_what_it_imports_and_not_itself(package, tmp_path):
    root = package(a="", b="")
    script = tmp_path / "script.py"
    script.write_text("import numpy\nfrom internal_physics.a import x\n")
    assert names(script_files(script), root) == {"__init__.py", "a.py"}


def test_files_are_sorted_and_unique(package):
    package(a="import internal_physics.b\nimport internal_physics.c", b="import internal_physics.c", c="")
    found = library_files(["a", "b"])
    assert found == sorted(set(found))


def test_figures_reach_their_style_file():
    radar = library_files(["families.gradient_flow.figures.radar"])
    assert "figures/internal_physics.mplstyle" in names(radar, ROOT / "internal_physics")


def test_a_folder_without_an_init_is_a_package_too(package):
    root = package(a="from internal_physics.sub.m import x", b="")
    (root / "sub").mkdir()
    (root / "sub" / "m.py").write_text("import internal_physics.b")
    assert names(library_files(["a"]), root) == {"__init__.py", "a.py", "b.py", "sub/m.py"}
