"""Damaged files of every kind give either a correct result or a UserError that names the file.

The examples are few and the same in every run. For many more, use `FUZZ_EXAMPLES=2000 pytest tests/fuzz`, or
tests/fuzz/run.py, which tries new ones each time and counts the outcomes.
"""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from fuzz_kinds import RESULT, outcome, strategy
from hypothesis import HealthCheck, given, settings
from kinds import KINDS
from memory_peaks import peak_mb

LONGEST = timedelta(seconds=60)  # for one file: they take up to a second, on a machine that others use
MOST_MEMORY_MB = 1500  # above that before: libraries are imported, and models of a few thousand weights built


@pytest.fixture(params=KINDS, ids=[kind.name for kind in KINDS])
def kind(request):
    return request.param


def test_a_damaged_file_is_read_rightly_or_refused_by_name_soon_and_without_much_memory(kind, tmp_path):
    path = kind.make(tmp_path)
    content = path.read_bytes()
    assert outcome(kind, path, content) == RESULT, "undamaged"
    before = peak_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    n_examples = int(os.environ.get("FUZZ_EXAMPLES", kind.n_examples))

    @settings(
        **{"max_examples": n_examples, "deadline": LONGEST, "derandomize": True, "database": None},
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy(kind, content))
    def try_all(damaged):
        outcome(kind, path, damaged)

    try_all()
    assert peak_mb() - before < MOST_MEMORY_MB
