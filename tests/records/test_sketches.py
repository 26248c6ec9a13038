"""Sketches: the projections of every job, an unbiased estimate with the stated variance, and plain errors."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hand_traces import TRANSPOSED, UP, make_trace
from internal_physics.ground.errors import StoreError
from internal_physics.records.gradients import DenseTerm, FactoredGradient, OuterTerm
from internal_physics.records.info import ParameterInfo
from internal_physics.records.projections import CELL, packed_signs, signs
from internal_physics.records.sketches import sketch_of, sketches
from internal_physics.records.trace import SKETCHES, Trace

SIZE, N_SEEDS = 64, 3000
WEIGHT = ParameterInfo("w", (14, 12), 0, False, UP.uses)


def gradient(seed, n_tokens=3):
    """Inputs share a direction, as those of real models do, so that C_in is not small."""
    rng = np.random.default_rng(seed)
    given = rng.standard_normal((n_tokens, 12)) + 2
    return FactoredGradient((14, 12), (OuterTerm(given, rng.standard_normal((n_tokens, 14))),))


def stated_variance(g, h, size):
    """As `projections` states it; Var(X) from the same formula for the inner, and for the outer random vector."""
    left, right = g @ h.T, g.T @ h
    of_out, of_in = (np.sum(m**2) + np.trace(m @ m) - 2 * np.sum(np.diag(m) ** 2) for m in (left, right))
    rng = np.random.default_rng(0)
    u, v = (rng.integers(0, 2, (200_000, n)) * 2.0 - 1 for n in g.shape)
    x = np.sum((u @ g) * v, axis=1) * np.sum((u @ h) * v, axis=1)
    return (np.var(x) + (CELL - 1) * (of_out + of_in)) / size


def test_the_signs_of_a_seed_and_a_weight_never_change():
    """Records of different jobs, machines and versions are comparable only as long as this holds."""
    packed = packed_signs(0, "model.layers.0.mlp.up_proj.weight", "in", 576, 128)
    assert packed.shape == (576, 16)
    assert hashlib.sha256(packed.tobytes()).hexdigest() == (
        "dbc6aeb4fcc163d148d45e6ee0f8f3a12a9b07a52c1c52d239a555af8bda9066"
    )


def test_signs_are_fair_and_differ_by_seed_weight_and_side():
    first = signs(0, "w", "out", 1000, 128)
    assert set(np.unique(first)) == {-1.0, 1.0}
    for other in (signs(1, "w", "out", 1000, 128), signs(0, "v", "out", 1000, 128), signs(0, "w", "in", 1000, 128)):
        assert abs(np.mean(first * other)) < 4 / np.sqrt(first.size)  # four standard errors of independent signs
    assert abs(first.mean()) < 4 / np.sqrt(first.size)


def test_an_odd_number_of_features_has_whole_bytes_too():
    assert signs(0, "w", "out", 3, 32).shape == (3, 32)


def test_the_estimate_is_unbiased_and_varies_as_stated():
    g, h = gradient(1), gradient(2)
    pairs = [[sketch_of(x, WEIGHT, SIZE, seed) for x in (g, h)] for seed in range(N_SEEDS)]
    estimates = np.array([a @ b for a, b in pairs])
    exact, variance = g.dot(h), stated_variance(g.dense(), h.dense(), SIZE)
    assert abs(estimates.mean() - exact) < 4 * np.sqrt(variance / N_SEEDS)
    # the variance of 3000 draws with heavy tails is known to about 5 %
    assert np.var(estimates) == pytest.approx(variance, rel=0.2)


def test_a_matrix_of_few_numbers_is_kept_whole():
    trace = make_trace()
    found = sketches(trace, SIZE)
    assert found.names == ("embed.weight", "up.weight", "conv.weight")
    for name in ("up.weight", "embed.weight"):
        np.testing.assert_allclose(
            found.values[found.rows[name]][: trace.gradient(name).dense().size],
            trace.gradient(name).dense().ravel(),
            rtol=1e-6,
        )
    transposed = trace.gradient(TRANSPOSED.name).dense().T.ravel()
    np.testing.assert_allclose(found.values[found.rows[TRANSPOSED.name]][: transposed.size], transposed, rtol=1e-6)


def test_a_weight_without_a_use_has_no_row():
    trace = make_trace()
    idle = replace(UP, name="idle", uses=())
    one_more = Trace(replace(trace.info, parameters=(*trace.info.parameters, idle)), trace.tensors)
    assert "idle" not in sketches(one_more, SIZE).names


def kept(size=SIZE, seed=0):
    trace = make_trace()
    info = replace(trace.info, weight_gradients="sketch", sketch_size=size, sketch_seed=seed)
    return Trace(info, {SKETCHES: sketches(trace, size, seed).values})


def test_kept_sketches_are_returned_as_they_are():
    np.testing.assert_array_equal(sketches(kept()).values, sketches(make_trace(), SIZE).values)


@pytest.mark.parametrize("other", [{"size": 256}, {"seed": 1}])
def test_sketches_of_another_kind_are_refused(other):
    with pytest.raises(StoreError, match="only sketches of one kind can be compared"):
        sketches(kept(**other), SIZE, 0)


@pytest.mark.parametrize("keep", ["norms", "none"])
def test_records_without_sketches_are_refused_with_what_to_set(keep):
    with pytest.raises(StoreError, match="set weight_gradients: sketch"):
        sketches(make_trace(keep=keep))


def test_sketches_of_norms_with_a_size_are_refused_too():
    with pytest.raises(StoreError, match="weight_gradients: norms, not factors"):
        sketches(make_trace(keep="norms"), SIZE)


class TestTwoModels:
    """The signs depend on the name of a weight: two models with equal names share them."""

    N_SEEDS = 400  # independent errors correlate by less than 4 / √400 = 0.2

    def errors(self, g, h, weight):
        estimates = [
            sketch_of(g, weight, SIZE, seed) @ sketch_of(h, weight, SIZE, seed) for seed in range(self.N_SEEDS)
        ]
        return np.array(estimates) - g.dot(h)

    def like(self, g, seed):
        """A gradient of another model on the same prompt: the same inputs, output gradients nearly the same."""
        (term,) = g.terms
        noise = np.random.default_rng(seed).standard_normal(term.output_gradient.shape)
        return FactoredGradient(g.shape, (OuterTerm(term.input, term.output_gradient + 0.3 * noise),))

    def correlation(self, others, weight):
        g, h = gradient(1), gradient(2)
        return np.corrcoef(self.errors(g, h, WEIGHT), self.errors(*others, weight))[0, 1]

    def test_errors_of_their_kernels_are_correlated_where_their_gradients_are_alike(self):
        alike = self.like(gradient(1), 11), self.like(gradient(2), 12)
        assert self.correlation(alike, WEIGHT) > 0.8
        assert abs(self.correlation(alike, replace(WEIGHT, name="v"))) < 0.2

    def test_and_not_where_their_gradients_have_nothing_in_common(self):
        rng = np.random.default_rng(5)
        g, h = gradient(1).dense(), gradient(2).dense()
        others = [rng.standard_normal((14, 12)) for _ in range(2)]
        others = [o - m * np.sum(o * m) / np.sum(m * m) for o, m in zip(others, (g, h), strict=True)]
        dense = [FactoredGradient((14, 12), (DenseTerm(o),)) for o in others]
        assert abs(self.correlation(dense, WEIGHT)) < 0.2
