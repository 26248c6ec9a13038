"""requirements.lock can be installed with every Python that pyproject.toml promises."""

import re
import tomllib
from importlib.metadata import metadata as metadata_of
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
PINS = dict(line.split("==") for line in (ROOT / "requirements.lock").read_text().split() if "==" in line)
ACCEPTED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
OLDEST = f"{ACCEPTED.removeprefix('>=')}.0"


@pytest.mark.parametrize("name", PINS)
def test_a_pin_accepts_the_oldest_python(name):
    assert version(name).split("+")[0] == PINS[name], "the environment is not that of the lock"
    accepted = SpecifierSet(metadata_of(name).get("Requires-Python", ""))
    assert accepted.contains(OLDEST), f"{name} {PINS[name]} needs Python {accepted}"


def test_the_pins_of_a_package_satisfy_what_others_ask_for():
    wrong = [
        f"{name} needs {wanted}, not {PINS[other]}"
        for name in PINS
        for wanted in map(Requirement, requires(name) or ())
        if (other := _as_pinned(wanted.name)) and (wanted.marker is None or wanted.marker.evaluate({"extra": ""}))
        if not wanted.specifier.contains(PINS[other], prereleases=True)
    ]
    assert not wrong


def _as_pinned(name: str) -> str | None:
    plain = {re.sub(r"[-_.]+", "-", pinned).lower(): pinned for pinned in PINS}
    return plain.get(re.sub(r"[-_.]+", "-", name).lower())
