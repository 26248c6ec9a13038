"""What every adapter imports first, and what it spares a job: modules that the job never uses."""

import os
import subprocess
import sys

import pytest
from internal_physics.ground.closure import ROOT

LOADED = """
import sys
import internal_physics.ground.quick_imports
import {module}
print("{unwanted}" in sys.modules)
"""


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("bitsandbytes", "torch._inductor.compile_fx"),
        ("internal_physics.families.comparison.compare", "scipy.stats"),
        ("internal_physics.families.gradient_flow.isf", "scipy.stats"),
    ],
)
def test_a_job_does_not_load_what_it_never_uses(module, unwanted):
    environment = {name: value for name, value in os.environ.items() if name != "TORCHDYNAMO_DISABLE"}
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(module=module, unwanted=unwanted)],
        capture_output=True,
        text=True,
        check=True,
        env=environment | {"PYTHONPATH": str(ROOT)},
    )
    assert done.stdout == "False\n"
