"""Which pages there are, and which makers their generated parts may name."""

from functools import partial
from pathlib import Path

from internal_physics.docs import estimates, families, measured, options
from internal_physics.docs.marks import Makers
from internal_physics.ground.strict_yaml import load_yaml

MEASURED = "docs/measured"


def pages(root: Path) -> list[Path]:
    """All Markdown pages of the repository that a user reads."""
    return [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md"))]


def makers(root: Path) -> Makers:
    """Name -> maker, for the pages of a repository."""
    facts = {path.stem: load_yaml(path) for path in sorted((root / MEASURED).glob("*.yaml"))}
    facts["estimates"] = estimates.estimates(facts["scale"])
    large_study = {name: partial(maker, facts["scale"]) for name, maker in estimates.TABLES.items()}
    return measured.makers(facts) | large_study | options.makers(root / "config.yaml") | families.makers()
