"""Derivatives along depth, the published order, z-scores and flags."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from internal_physics.families.thermodynamics.depth import DERIVED, STATE, central_difference, derive, sequences
from internal_physics.families.thermodynamics.flags import FLAGS, FlagRules, flag, z_scores

NAMES = [f"h.{layer}.mlp.{name}.weight" for layer in range(12) for name in ("up_proj", "down_proj")] + ["wte.weight"]
LAYERS = [layer for layer in range(12) for _ in range(2)] + [-1]


def states(**changes):
    rng = np.random.default_rng(0)
    return {name: rng.normal(5, 1, 12) for name in STATE} | changes


def test_depth_follows_a_map_from_block_to_block():
    ups, downs, table = sequences(NAMES, LAYERS, "depth")
    assert [NAMES[i] for i in ups] == [f"h.{layer}.mlp.up_proj.weight" for layer in range(12)]
    assert [LAYERS[i] for i in downs] == list(range(12))
    assert [NAMES[i] for i in table] == ["wte.weight"]


def test_the_published_order_puts_layer_10_after_layer_1():
    (all_of_them,) = sequences(NAMES, LAYERS, "name")
    in_order = [NAMES[i] for i in all_of_them]
    assert in_order == sorted(NAMES)
    assert in_order.index("h.10.mlp.down_proj.weight") < in_order.index("h.2.mlp.down_proj.weight")


def test_an_unknown_order_is_refused():
    with pytest.raises(ValueError, match="expected one of depth, name"):
        sequences(NAMES, LAYERS, "size")


@given(
    values=arrays(float, st.integers(1, 12), elements=st.floats(-1e6, 1e6)),
    shift=st.floats(-10, 10),
    factor=st.floats(-10, 10),
)
@settings(max_examples=80, deadline=None)
def test_a_central_difference_is_linear_and_undefined_at_the_ends(values, shift, factor):
    found = central_difference(values)
    assert np.isnan(found[[0, -1]]).all()
    assert np.isfinite(found[1:-1]).all()
    np.testing.assert_allclose(central_difference(values + shift), found, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(central_difference(factor * values), factor * found, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(central_difference(values[::-1]), -found[::-1])


def test_a_straight_line_has_its_slope():
    np.testing.assert_allclose(central_difference(3.0 * np.arange(6) + 1)[1:-1], 3.0)


def test_quotients_are_the_published_ones_infinities_included():
    temperature = np.array([2e-6, 0.0, 0.0, 1.0])  # dT of place 1 is -1e-6
    found = derive(states(temperature=temperature) | {k: v[:4] for k, v in states().items() if k != "temperature"})
    assert set(found) == set(DERIVED)
    assert found["d_temperature"][1] == -1e-6
    assert np.isinf(found["specific_heat"][1])
    d_t = found["d_temperature"][2]
    np.testing.assert_allclose(found["specific_heat"][2], found["d_energy"][2] / (d_t + 1e-6))
    np.testing.assert_allclose(found["susceptibility"][2], found["d_gradient_norm"][2] / (d_t + 1e-6))
    np.testing.assert_allclose(
        found["compressibility"][2], -found["d_entropy_nats"][2] / (found["d_free_energy"][2] + 1e-6)
    )


def test_z_scores_use_the_sample_deviation_of_what_is_finite():
    values = np.array([np.nan, 1.0, 2.0, 6.0, np.inf])
    finite = values[1:4]
    expected = (finite - finite.mean()) / finite.std(ddof=1)
    found = z_scores(values)
    np.testing.assert_allclose(found[1:4], expected)
    assert np.isnan(found[0])
    assert found[4] == np.inf
    assert (z_scores(np.full(5, 0.1)) == 0).all()


def derived(**changes):
    zeros = {name: np.zeros(5) for name in DERIVED}
    return zeros | {name: np.asarray(values, dtype=float) for name, values in changes.items()}


def test_a_latent_heat_jump_is_a_step_of_energy_at_one_temperature():
    found = flag(derived(d_temperature=[0.009, 0.011, 0, 0, np.nan], d_energy=[5.1, 9, 5, -6, 9]), FlagRules())
    assert found["latent_heat_jump"].tolist() == [True, False, False, True, False]


def test_a_negative_specific_heat_is_flagged_and_nan_is_not():
    found = flag(derived(specific_heat=[-1e-9, 0, 1, np.nan, -np.inf]), FlagRules())
    assert found["negative_specific_heat"].tolist() == [True, False, False, False, True]


def test_fixed_thresholds_and_z_scores_differ():
    values = {"susceptibility": [2e-3, -2e-3, 0, np.inf, np.nan], "compressibility": [0.4, -0.4, 0.2, 0, np.nan]}
    fixed = flag(derived(**values), FlagRules(flags="fixed"))
    assert fixed["susceptibility_divergence"].tolist() == [True, True, False, True, False]
    assert fixed["high_compressibility"].tolist() == [True, True, False, False, False]
    scored = flag(derived(**values), FlagRules())
    assert scored["susceptibility_divergence"].tolist() == [False, False, False, True, False]
    assert not scored["high_compressibility"].any()
    with pytest.raises(ValueError, match="z_score, fixed"):
        FlagRules(flags="guess")


def test_an_outlier_among_many_is_flagged_by_its_z_score():
    values = np.concatenate([np.linspace(-1, 1, 30), [50.0]])
    found = flag(dict.fromkeys(DERIVED, values), FlagRules())
    assert np.flatnonzero(found["susceptibility_divergence"]).tolist() == [30]
    assert set(found) == set(FLAGS)
