"""Memory that the jobs of kernels ask for: it follows the number of prompts."""

import pytest
from internal_physics.families.kernel import parts
from internal_physics.plan import kernel_memory
from internal_physics.plan.kernel_memory import KeptPrompts, kernel_memory_mb, kernel_tables_memory_mb


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
