"""Memory that the jobs of kernels ask for: it follows the number of prompts, and covers what was measured."""

from pathlib import Path

import pytest
import yaml
from internal_physics.families.kernel import parts
from internal_physics.plan import kernel_memory
from internal_physics.plan.kernel_memory import (
    MOST_PROMPTS_LOCALLY,
    KeptPrompts,
    has_local_tables,
    kernel_memory_mb,
    kernel_tables_memory_mb,
)

HEAD, *MEASURED = yaml.safe_load((Path(__file__).parents[2] / "docs/measured/kernel.yaml").read_text())["rows"]
ROWS = [dict(zip(HEAD, row, strict=True)) for row in MEASURED]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['step']} of {row['prompts']}")
def test_what_was_measured_fits_without_asking_for_twice_as_much(row):
    kept = KeptPrompts(0, int(row["prompts"].replace(",", "")))
    asked = kernel_memory_mb(kept) if row["step"] == "kernel" else kernel_tables_memory_mb([kept])
    peak_mb = 1000 * float(row["peak memory"].removesuffix(" GB").removeprefix("≥ "))
    assert peak_mb <= asked < max(2 * peak_mb, 2001)


def test_usual_kernels_ask_for_what_a_job_has_anyway():
    default = KeptPrompts(factors=5, sketch=97)
    assert kernel_memory_mb(default) == kernel_tables_memory_mb([default] * 4) == 2000
    assert kernel_tables_memory_mb([]) == 2000


@pytest.mark.parametrize("few", [KeptPrompts(1000, 0), KeptPrompts(0, 8000), KeptPrompts(500, 8000)])
def test_twice_the_prompts_take_at_most_four_times_the_memory_and_more_than_before(few):
    many = KeptPrompts(2 * few.factors, 2 * few.sketch)
    for memory in (kernel_memory_mb, lambda kept: kernel_tables_memory_mb([kept])):
        assert 1.5 < memory(many) / memory(few) <= 4


def test_the_cosines_of_every_other_kernel_stay_in_memory():
    kept = KeptPrompts(0, 10_000)
    assert kernel_tables_memory_mb([kept] * 4) - kernel_tables_memory_mb([kept]) == 1200  # three of 400 MB


def test_a_kernel_is_split_where_the_library_splits_it():
    assert kernel_memory._MOST_SPLIT == parts.MOST_SPLIT


def test_tables_of_few_prompts_are_made_where_the_workflow_starts_and_of_many_in_the_queue():
    few, many = KeptPrompts(5, MOST_PROMPTS_LOCALLY - 5), KeptPrompts(5, MOST_PROMPTS_LOCALLY - 4)
    assert has_local_tables([])
    assert has_local_tables([few] * 4)
    assert not has_local_tables([few, many])
    assert has_local_tables([KeptPrompts(MOST_PROMPTS_LOCALLY // 2, 0)])
    assert not has_local_tables([KeptPrompts(MOST_PROMPTS_LOCALLY + 1, 0)])


def test_what_took_minutes_or_gigabytes_when_it_was_measured_is_not_local():
    assert not any(has_local_tables([KeptPrompts(0, int(row["prompts"].replace(",", "")))]) for row in ROWS)


def test_many_small_kernels_that_need_much_memory_together_are_not_local():
    small = KeptPrompts(0, 300)
    assert has_local_tables([small] * 4)
    assert not has_local_tables([small] * 2000)
