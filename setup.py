"""Puts the files of the workflow into the package, so that `internal-physics run` needs no clone.

All else is in pyproject.toml; which files, in its table [tool.internal-physics].
"""

import shutil
import tomllib
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


class BuildWithWorkflow(build_py):
    """Copies the workflow into internal_physics/workflow of what is built; an editable installation has the clone."""

    def run(self):
        """Build the package, then add the workflow."""
        super().run()
        if not self.editable_mode:
            place = Path(self.build_lib, "internal_physics", "workflow")
            shutil.rmtree(place, ignore_errors=True)
            project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
            for pattern in project["tool"]["internal-physics"]["workflow"]:
                for path in sorted(ROOT.glob(pattern)):
                    _copy(path, place / path.relative_to(ROOT))


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, to, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    else:
        shutil.copy2(path, to)


setup(cmdclass={"build_py": BuildWithWorkflow})
