"""Inner products between many prompts' gradients, in both forms, against the matrices themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from internal_physics.records import inner_products as module
from internal_physics.records.inner_products import cheaper_form, inner_products
from internal_physics.records.terms import DenseTerm, LookupTerm, OuterTerm
from tolerances import EXACT

FORMS = ("pairs", "dense")


def random_uses(random, shape, n_uses):
    """Uses of a weight by one prompt, and the norms of their factors: what rounding is relative to."""
    n_out, n_in = shape
    uses = []
    for _ in range(n_uses):
        n_tokens = int(random.integers(0, 5))
        rows = random.standard_normal((n_tokens, n_in)).astype(np.float32)
        if random.random() < 0.5:
            uses.append(LookupTerm(random.integers(0, n_out, n_tokens), rows))
        else:
            uses.append(OuterTerm(rows, random.standard_normal((n_tokens, n_out))))
    return tuple(uses)


def matrix(uses, shape):
    """The gradient, summed up token by token."""
    total = np.zeros(shape)
    for use in uses:
        for t, row in enumerate(use.output_gradient.astype(float)):
            if isinstance(use, LookupTerm):
                total[use.ids[t]] += row
            else:
                total += np.outer(row, use.input[t])
    return total


def expected(rows, columns, shape):
    left, right = (np.array([matrix(uses, shape).ravel() for uses in part]) for part in (rows, columns))
    return left @ right.T, 1 + np.outer(np.abs(left).sum(1), np.abs(right).sum(1))


@given(st.tuples(st.integers(1, 7), st.integers(1, 7)), st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_both_forms_give_the_inner_products_of_random_factors(shape, n_rows, n_columns, seed):
    """Maps, tables, tied weights, prompts that reach nothing, uses without tokens; in parts of a few tokens too."""
    random = np.random.default_rng(seed)
    rows, columns = ([random_uses(random, shape, random.integers(0, 4)) for _ in range(n)] for n in (n_rows, n_columns))
    value, size = expected(rows, columns, shape)
    own, own_size = expected(rows, rows, shape)
    with pytest.MonkeyPatch.context() as patch:
        for n in (3, 1000):
            patch.setattr(module, "_TOKENS_AT_ONCE", n)
            patch.setattr(module, "_FEATURES_AT_ONCE", n)
            patch.setattr(module, "_NUMBERS_AT_ONCE", n)
            for form in FORMS:
                assert np.all(np.abs(inner_products(rows, columns, shape, form) - value) <= EXACT * 100 * size)
                symmetric = inner_products(rows, None, shape, form)
                assert np.array_equal(symmetric, symmetric.T)
                assert np.all(np.abs(symmetric - own) <= EXACT * 100 * own_size)


def test_a_tied_weight_has_all_four_blocks():
    """One prompt uses the weight as a table, the other as a map: only the mixed block is not zero."""
    looked_up = (LookupTerm(np.array([1]), np.array([[2.0, 0.0]])),)
    mapped = (OuterTerm(np.array([[5.0, 1.0]]), np.array([[7.0, 3.0, 0.0]])),)
    for form in FORMS:
        assert inner_products([looked_up], [mapped], (3, 2), form).item() == 3 * 5 * 2
        assert inner_products([mapped], [looked_up], (3, 2), form).item() == 3 * 5 * 2


def test_short_prompts_go_by_pairs_and_long_ones_by_matrices():
    def prompts(n_tokens):
        return [(OuterTerm(np.ones((n_tokens, 64)), np.ones((n_tokens, 64))),)] * 2

    assert cheaper_form(prompts(4), prompts(4), (64, 64)) == "pairs"
    assert cheaper_form(prompts(400), prompts(400), (64, 64)) == "dense"


def test_a_gradient_that_is_kept_whole_is_multiplied_whole():
    whole = DenseTerm(np.arange(6.0).reshape(3, 2))
    factors = OuterTerm(np.array([[1.0, -1.0]]), np.array([[1.0, 2.0, 3.0]]))
    assert cheaper_form([(whole,)], [(factors,)], (3, 2)) == "dense"
    assert inner_products([(whole,)], [(factors,)], (3, 2)).item() == (0 - 1) + 2 * (2 - 3) + 3 * (4 - 5)


def test_a_prompt_that_is_not_finite_leaves_the_others_alone():
    def prompt(value):
        return (OuterTerm(np.full((2, 3), value), np.ones((2, 3))),)

    for form in FORMS:
        found = inner_products([prompt(1.0), prompt(np.nan), prompt(2.0)], None, (3, 3), form)
        assert np.isnan(found[1]).all()
        assert np.array_equal(found[np.ix_([0, 2], [0, 2])], [[36, 72], [72, 144]])


@pytest.mark.parametrize("form", FORMS)
def test_factors_of_another_shape_are_refused(form):
    with pytest.raises(ValueError, match="do not fit the map"):
        inner_products([(OuterTerm(np.ones((1, 2)), np.ones((1, 3))),)], None, (4, 2), form)
