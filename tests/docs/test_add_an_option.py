"""The steps of "An option" in docs/extend.md, done in a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
COPIED = ("scripts", "config", "docs", "report", "README.md", "mkdocs.yml", "config.yaml", "benchmarks", "resources")
OPTIONS = "scripts/internal_physics/config/options/record.py"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy with the option of the page in the section `record`, after `make docs`."""
    folder = tmp_path_factory.mktemp("option")
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    page = (ROOT / "docs/extend.md").read_text(encoding="utf-8")
    section = page.split("## An option\n")[1].split("\n## ")[0]
    field, meaning = re.findall(r"`(warm_up: [^`]+)`", section)
    options = folder / OPTIONS
    text = options.read_text(encoding="utf-8")
    text = text.replace("        top_k: ", f"        {meaning}\n        top_k: ", 1)
    text = text.replace("    top_k: Count", f"    {field}\n    top_k: Count", 1)
    options.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "internal_physics.docs"]
    subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": "scripts"}, check=True, capture_output=True)
    return folder


def schema_of_record(folder):
    schema = yaml.safe_load((folder / "config/schema.yaml").read_text(encoding="utf-8"))
    return schema["properties"]["record"]["properties"]


def test_make_docs_writes_the_option_into_schema_and_page(tree):
    option = schema_of_record(tree)["warm_up"]
    assert option["default"] is False
    assert option["description"] == "Run the first batch twice, and keep the second result."
    assert "warm_up" in (tree / "docs/options.md").read_text(encoding="utf-8")
    assert "warm_up" not in schema_of_record(ROOT)


def test_the_config_takes_the_option_and_refuses_wrong_values(tree):
    rules = schema_of_record(tree)["warm_up"]
    jsonschema.validate(True, rules)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate("yes", rules)
