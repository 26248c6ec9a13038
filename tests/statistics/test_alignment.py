"""Alignment of kernels: known values, invariances, and p-values under the null."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from internal_physics.statistics import alignment
from internal_physics.statistics.alignment import (
    align_with_groups,
    centred,
    centred_alignment,
    debiased_alignment,
)
from internal_physics.statistics.alignment_statuses import NO_PAIR, ONE_GROUP, TOO_FEW_ITEMS, UNDEFINED

GROUPS = ["a"] * 5 + ["b"] * 5
ROUNDING = 1e-12


def random_kernel(seed, n=10, width=40):
    rows = np.random.default_rng(seed).standard_normal((n, width))
    return rows @ rows.T


def centred_off_diagonal(kernel):
    """Székely and Rizzo (2014), equation 2.2: the whole kernel at once."""
    n = len(kernel)
    off = kernel * (1.0 - np.eye(n))
    sums = off.sum(axis=-1)
    centre = off - (sums[:, None] + sums[None, :]) / (n - 2) + sums.sum() / ((n - 1) * (n - 2))
    return centre * (1.0 - np.eye(n))


def unbiased_hsic(first, second):
    """Song et al. (2012), equation 5, with plain sums."""
    n = len(first)
    k, m = (kernel - np.diag(np.diagonal(kernel)) for kernel in (first, second))
    ones = np.ones(n)
    middle = (ones @ k @ ones) * (ones @ m @ ones) / ((n - 1) * (n - 2))
    return (np.trace(k @ m) + middle - 2 / (n - 2) * (ones @ k @ m @ ones)) / (n * (n - 3))


@given(st.integers(0, 2**32 - 1), st.integers(4, 12))
@settings(deadline=None)
def test_debiased_alignment_is_the_ratio_of_unbiased_hsics(seed, n):
    first, second = random_kernel(seed, n), random_kernel(seed + 1, n)
    expected = unbiased_hsic(first, second) / np.sqrt(unbiased_hsic(first, first) * unbiased_hsic(second, second))
    assert debiased_alignment(first, second) == pytest.approx(expected, abs=1e-9)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
@settings(deadline=None)
def test_alignment_ignores_scale_and_a_shift_of_all_items(seed, scale):
    rows = np.random.default_rng(seed).standard_normal((8, 5))
    kernel, other = rows @ rows.T, random_kernel(seed + 1, 8)
    moved = scale * (rows + 3) @ (rows + 3).T
    assert centred_alignment(kernel, moved) == pytest.approx(1, abs=1e-9)
    assert centred_alignment(kernel, other) == pytest.approx(centred_alignment(moved, other), abs=1e-9)
    assert 0 <= centred_alignment(kernel, other) <= 1
    assert -1 <= debiased_alignment(kernel, other) <= 1


def test_centred_kernels_sum_to_zero():
    for centre in (centred, centred_off_diagonal):
        assert np.abs(centre(random_kernel(0)).sum(axis=1)).max() < 1e-9
    assert not np.diagonal(centred_off_diagonal(random_kernel(0))).any()


def test_cosine_kernels_of_few_unrelated_items_agree_by_their_diagonals_and_the_debiased_number_does_not():
    found = []
    for seed in range(0, 100, 2):
        kernels = [random_kernel(seed + i, 5, 2000) / 2000 for i in (0, 1)]
        found.append([centred_alignment(*kernels), debiased_alignment(*kernels)])
    biased, debiased = np.mean(found, axis=0)
    assert biased > 0.99
    assert abs(debiased) < 0.2  # standard error of 50 draws: 0.07


def test_a_kernel_of_groups_is_aligned_with_them_as_nothing_else():
    same = (np.array(GROUPS)[:, None] == np.array(GROUPS)[None, :]).astype(float)
    found = align_with_groups(np.array([same, random_kernel(1)]), GROUPS, seed=0, n_resamples=999)
    assert found.cka[0] == pytest.approx(1, abs=ROUNDING)
    assert found.debiased[0] == pytest.approx(1, abs=ROUNDING)
    # Of the 252 ways to choose a group of five, two give the same two groups.
    assert 0.001 <= found.p[0] < 0.02
    assert found.p[1] > 0.02
    assert found.status == "ok"


def test_p_is_the_share_of_relabellings_that_are_at_least_as_aligned():
    kernel = random_kernel(3, 6)
    groups = ["a", "a", "a", "b", "b", "b"]
    found = align_with_groups(kernel[None], groups, seed=0, n_resamples=9999)
    from itertools import permutations

    label = np.array([[g == h for h in groups] for g in groups], dtype=float)
    every = [centred_alignment(kernel, label[np.ix_(order, order)]) for order in map(list, permutations(range(6)))]
    share = np.mean(np.array(every) >= centred_alignment(kernel, label) - ROUNDING)
    assert found.cka[0] == pytest.approx(centred_alignment(kernel, label), abs=ROUNDING)
    assert found.p[0] == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 9999) + 1e-4)


def test_p_is_not_small_more_often_than_it_says():
    found = [align_with_groups(random_kernel(s)[None], GROUPS, seed=s, n_resamples=199).p[0] for s in range(200)]
    assert 0 < np.mean(np.array(found) <= 0.1) < 0.17  # 0.1 and 3.3 standard errors


def test_the_same_seed_gives_the_same_p():
    kernels = np.array([random_kernel(0), random_kernel(1)])
    first, again = (align_with_groups(kernels, GROUPS, seed=5, n_resamples=99) for _ in range(2))
    assert np.array_equal(first.p, again.p)
    assert not np.array_equal(first.p, align_with_groups(kernels, GROUPS, seed=6, n_resamples=99).p)


@pytest.mark.parametrize(
    ("groups", "why"),
    [(["a", "a", "b"], TOO_FEW_ITEMS), (["a"] * 4, ONE_GROUP), (["a", "b", "c", "d"], NO_PAIR), ([], TOO_FEW_ITEMS)],
)
def test_groups_that_say_nothing_have_a_reason(groups, why):
    found = align_with_groups(np.ones((2, len(groups), len(groups))), groups, seed=0, n_resamples=99)
    assert found.status == why
    assert np.isnan([found.cka, found.debiased, found.p]).all()


def test_too_few_items_and_constant_kernels_have_no_alignment():
    assert np.isnan(centred_alignment(random_kernel(0, 3), random_kernel(1, 3)))
    assert np.isnan(debiased_alignment(np.ones((5, 5)), random_kernel(0, 5)))
    with pytest.raises(ValueError, match="shapes"):
        centred_alignment(random_kernel(0, 4), random_kernel(0, 5))


@pytest.mark.parametrize("number", [np.float64, np.float32])
def test_kernels_are_aligned_some_rows_at_a_time_as_they_are_at_once(monkeypatch, number):
    first, second = (random_kernel(seed, n=31).astype(number) for seed in (0, 1))
    expected = [centred_alignment(first, second), debiased_alignment(first, second)]
    for found, centre in zip(expected, (centred, centred_off_diagonal), strict=True):
        a, b = centre(first.astype(float)).ravel(), centre(second.astype(float)).ravel()
        assert found == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-6)
    monkeypatch.setattr(alignment, "_NUMBERS_OF_ROWS", 100)  # three rows
    assert [centred_alignment(first, second), debiased_alignment(first, second)] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("few_groups", [0, 30], ids=["by pairs", "by products"])
def test_many_items_are_aligned_with_groups_as_few_are(monkeypatch, few_groups):
    random = np.random.default_rng(0)
    features = random.standard_normal((30, 5))
    kernels, groups = np.array([features @ features.T, np.eye(30)]), [f"g{i % 4}" for i in range(30)]
    few = align_with_groups(kernels, groups, seed=0, n_resamples=50)
    monkeypatch.setattr(alignment, "_MANY", 10)
    monkeypatch.setattr(alignment, "_FEW_GROUPS", few_groups)
    monkeypatch.setattr(alignment, "_NUMBERS_OF_ROWS", 50)
    many = align_with_groups(kernels, groups, seed=0, n_resamples=50)
    for found, expected in zip(many[:3], few[:3], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)  # sums in another order


@pytest.mark.parametrize("few_groups", [0, 30], ids=["by pairs", "by products"])
def test_of_many_items_labels_that_group_them_alike_align_alike(monkeypatch, few_groups):
    monkeypatch.setattr(alignment, "_MANY", 4)
    monkeypatch.setattr(alignment, "_FEW_GROUPS", few_groups)
    kernel = random_kernel(0, 5).astype(np.float32)
    constant_labels = align_with_groups([kernel], ["a", "a", "a", "a", "b"], seed=0, n_resamples=200)
    alone = [centred_alignment(kernel, np.equal.outer(g, g)) for g in np.eye(5)]
    at_least = sum(value >= alone[4] - 1e-9 for value in alone) / 5  # each item is alone in a fifth of the labellings
    assert constant_labels.p[0] == pytest.approx(at_least, abs=0.12)


@pytest.mark.parametrize("most_at_once", [1000, 4], ids=["few items", "many items"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_kernel_that_is_not_finite_is_aligned_with_nothing(monkeypatch, most_at_once, bad):
    """A prompt without a gradient at a layer has NaN in its row and column there; warnings are errors."""
    monkeypatch.setattr(alignment, "_MANY", most_at_once)
    whole, broken = random_kernel(0), random_kernel(1)
    broken[3, :] = broken[:, 3] = bad
    for kernels in ((broken, whole), (whole, broken), (broken, broken)):
        assert np.isnan([centred_alignment(*kernels), debiased_alignment(*kernels)]).all()
    found = align_with_groups([whole, broken], GROUPS, seed=0, n_resamples=99)
    expected = align_with_groups([whole], GROUPS, seed=0, n_resamples=99)
    assert np.isnan([numbers[1] for numbers in found[:3]]).all()
    assert [numbers[0] for numbers in found[:3]] == [numbers[0] for numbers in expected[:3]]
    assert found.status == UNDEFINED
    assert np.isnan(align_with_groups([broken], GROUPS, seed=0, n_resamples=99).p).all()
