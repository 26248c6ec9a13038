"""Freed memory is used again: the system gives a process no new pages for an array of the same size."""

import os
import subprocess
import sys

from internal_physics.ground.closure import ROOT

PAGES = """
import resource, sys
import numpy as np
from internal_physics.ground.allocator import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()

def pages_of_an_array():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(8_000_000)  # 64 MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

pages_of_an_array()
print(sum(pages_of_an_array() for _ in range(4)))
"""


def new_pages(how: str) -> int:
    command, environment = [sys.executable, "-c", PAGES, how], os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return int(done.stdout)


def test_the_next_array_has_the_pages_of_the_last():
    by_default, kept = new_pages("return"), new_pages("keep")
    assert kept * 10 < by_default
