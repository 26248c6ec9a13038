"""Nearest prompts: in the order of the cosines, across prompt sets, resolved only beyond the stated error."""

import numpy as np
import pytest
from internal_physics.families.kernel.kernel_files import KernelOf
from internal_physics.families.kernel.neighbours import neighbour_rows
from internal_physics.families.kernel.parts import TOTAL, PromptName, TangentKernel
from internal_physics.families.kernel.tables import N_NEIGHBOURS
from internal_physics.families.kernel.usable import usable
from made_up_kernels import notes_of

NAMES = (PromptName("s", "a"), PromptName("s", "b"), PromptName("t", "c"))
LENGTHS = np.array([1.0, 2.0, 3.0])
COSINES = np.array([[1.0, 0.2, 0.5], [0.2, 1.0, 0.1], [0.5, 0.1, 1.0]])


def rows_of(cosines=COSINES, error=None, names=NAMES):
    lengths = LENGTHS[: len(names)] if len(names) <= 3 else np.ones(len(names))
    scale = np.outer(lengths, lengths)
    errors = {} if error is None else {TOTAL: error * scale * (1 - np.eye(len(names)))}
    source = "factors" if error is None else "sketch"
    kernel = KernelOf("m", "baseline", TangentKernel(names, {TOTAL: cosines * scale}, source, errors))
    return neighbour_rows(usable(kernel, notes_of(kernel)))


def test_the_nearest_come_first_from_whichever_set():
    rows = rows_of()
    of_a = rows[rows["prompt"] == "a"]
    assert list(of_a["rank"]) == [1, 2]
    assert list(zip(of_a["neighbour_set"], of_a["neighbour"], strict=True)) == [("t", "c"), ("s", "b")]
    assert list(of_a["cosine"]) == pytest.approx([0.5, 0.2])
    assert set(rows["standard_error"]) == {0.0}
    assert not ((rows["prompt"] == rows["neighbour"]) & (rows["prompt_set"] == rows["neighbour_set"])).any()


@pytest.mark.parametrize(("error", "resolved"), [(None, True), (0.1, True), (0.11, False)])
def test_a_neighbour_is_resolved_beyond_two_standard_errors_of_the_difference(error, resolved):
    """0.5 and 0.2 differ by 0.3: 2 · 0.1 · √2 is 0.28, 2 · 0.11 · √2 is 0.31."""
    first, last = rows_of(error=error).query("prompt == 'a'").itertuples()
    assert first.is_resolved == resolved
    assert last.is_resolved is not True
    assert last.is_resolved is not False
    assert first.standard_error == pytest.approx(error or 0)


def test_equal_cosines_are_not_resolved_though_they_are_exact():
    cosines = np.array([[1.0, 0.2, 0.2], [0.2, 1.0, 0.1], [0.2, 0.1, 1.0]])
    assert not rows_of(cosines).query("prompt == 'a' and rank == 1")["is_resolved"].item()


def test_the_last_one_listed_is_compared_with_the_first_one_that_is_not():
    n = N_NEIGHBOURS + 2
    cosines = np.eye(n)
    cosines[0, 1:] = cosines[1:, 0] = [0.7, 0.6, 0.5, 0.4, 0.3, 0.3]
    rows = rows_of(cosines, names=tuple(PromptName("s", f"p{i}") for i in range(n)))
    of_first = rows[rows["prompt"] == "p0"]
    assert list(of_first["rank"]) == list(range(1, N_NEIGHBOURS + 1))
    assert list(of_first["is_resolved"]) == [True, True, True, True, False]


def test_a_prompt_that_is_alone_has_no_neighbours():
    rows = rows_of(np.ones((1, 1)), names=NAMES[:1])
    assert rows.empty
    assert "is_resolved" in rows.columns
