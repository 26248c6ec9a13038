"""Which pages there are, and which makers their generated parts may name."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from internal_physics.docs import architectures, code, estimates, example, families, measured, options
from internal_physics.docs.marks import Makers
from internal_physics.ground.strict_yaml import load_yaml

MEASURED = "docs/measured"
GPU = f"{MEASURED}/gpu.json"  # by `make gpu-check`
FINDINGS = f"{MEASURED}/findings.json"  # of the default run


def pages(root: Path) -> list[Path]:
    """All Markdown pages of the repository that a user reads."""
    return [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md"))]


def makers(root: Path) -> Makers:
    """Name -> maker, for the pages of a repository."""
    facts = {path.stem: load_yaml(path) for path in sorted((root / MEASURED).glob("*.yaml"))}
    found = json.loads((root / FINDINGS).read_text(encoding="utf-8"))
    facts["gpu"] = json.loads((root / GPU).read_text(encoding="utf-8"))
    facts["estimates"] = estimates.estimates(facts["scale"])
    large_study: dict[str, Callable[..., str]] = {
        "estimated-storage": partial(estimates.storage, facts["scale"]),
        "estimated-hours": estimates.hours,
    }
    of_code = code.makers(root) | example.makers()
    of_run = options.makers(root / "config.yaml") | families.makers()
    return measured.makers(facts, found) | architectures.makers(root) | large_study | of_code | of_run
