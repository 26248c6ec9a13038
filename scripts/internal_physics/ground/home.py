"""Where the files of the workflow are: at the top of a clone, or inside of an installed package."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]
PACKAGED = "workflow"  # the folder of an installed package that has them; setup.py makes it


def home() -> Path:
    """The folder with Snakefile, rules, config, resources and scripts."""
    packaged = PACKAGE / PACKAGED
    return packaged if packaged.is_dir() else PACKAGE.parents[1]
