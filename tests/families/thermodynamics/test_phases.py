"""Phases: agreement of prompts, shuffled layers, change points."""

import numpy as np
import pandas as pd
import pytest
from internal_physics.families.thermodynamics.change_points import change_points, change_shares
from internal_physics.families.thermodynamics.depth import STATE, derive, sequences
from internal_physics.families.thermodynamics.flags import ALL_KINDS, FLAGS, FlagRules, flag
from internal_physics.families.thermodynamics.phases import PhaseOptions, flag_states, phases, shuffle_flags
from internal_physics.families.thermodynamics.state_means import state_means
from internal_physics.statistics.many_means import mean_intervals

N_LAYERS = 16


def make_states(n_prompts=4, *, order="depth", jump_at=None, sets=("s",), seed=0):
    """States of one model with two maps per block and an embedding, derivatives as the library makes them."""
    rng = np.random.default_rng(seed)
    frames = []
    names = [f"h.{layer}.mlp.{name}.weight" for layer in range(N_LAYERS) for name in ("up_proj", "down_proj")]
    layers = [layer for layer in range(N_LAYERS) for _ in range(2)]
    for prompt_set in sets:
        for p in range(n_prompts):
            frame = pd.DataFrame({"parameter": [*names, "wte.weight"], "layer": [*layers, -1]})
            frame["kind"] = [*["up", "down"] * N_LAYERS, "embedding"]
            for quantity in STATE:
                frame[quantity] = rng.uniform(1, 2, len(frame))
            if jump_at is not None:
                frame.loc[frame.layer >= jump_at, ["temperature", "free_energy"]] += 50.0
                frame.loc[frame.layer >= jump_at, ["entropy_nats", "energy"]] += 50.0
            for places in sequences(list(frame.parameter), list(frame.layer), order):
                found = derive({q: frame[q].to_numpy()[places] for q in STATE})
                for name, values in found.items():
                    frame.loc[places, name] = values
            frames.append(frame.assign(model="m", condition="baseline", prompt_set=prompt_set, prompt=f"p{p}"))
    return pd.concat(frames, ignore_index=True)


OPTIONS = PhaseOptions(n_permutations=49)


def test_flags_are_in_the_order_of_the_states_and_follow_the_definition():
    states = make_states()
    flags = flag_states(states, OPTIONS)
    keys = ["prompt_set", "prompt", "parameter"]
    pd.testing.assert_frame_equal(flags[keys], states[keys])
    one = states[(states.prompt == "p1") & (states.kind == "up")]
    expected = flag({name: one[name].to_numpy() for name in one if name not in STATE}, OPTIONS)
    for name in FLAGS:
        np.testing.assert_array_equal(flags.loc[one.index, name], expected[name])
    assert not flags[states.kind == "embedding"][list(FLAGS)].to_numpy().any()


def test_shares_are_means_over_prompts_of_the_flags():
    states = make_states(5)
    found = phases(states, OPTIONS, seed=1)
    joined = found.flags.assign(layer=states.layer, kind=states.kind)
    by_weight = joined.groupby("parameter").negative_specific_heat.mean()
    layers = found.layers[found.layers.phase == "negative_specific_heat"].set_index("parameter")
    assert set(layers.layer) == set(range(1, N_LAYERS - 1))
    np.testing.assert_allclose(layers.share, by_weight[layers.index])
    assert (layers.n_prompts == 5).all()
    assert "wte.weight" not in set(found.layers.parameter)


def test_kinds_that_do_the_same_are_no_more_evidence_than_one_of_them():
    """Layers of all kinds change places together. Fisher's combination of their p-values would count them twice."""
    states = make_states(6, seed=3)
    up = states[states.kind == "up"]
    twin = up.assign(parameter=up.parameter.str.replace("up_proj", "twin"), kind="twin")
    counts = phases(pd.concat([up, twin], ignore_index=True), PhaseOptions(n_permutations=199), seed=0).counts
    by_kind = counts.pivot(index="phase", columns="kind", values="p_value")
    np.testing.assert_array_equal(by_kind[ALL_KINDS], by_kind["up"])
    sums = counts.pivot(index="phase", columns="kind", values="observed")
    np.testing.assert_allclose(sums[ALL_KINDS], 2 * sums["up"])
    assert sums["up"].max() > 0


def test_counts_of_random_layers_are_those_of_shuffled_ones():
    counts = phases(make_states(12), PhaseOptions(n_permutations=199), seed=0).counts
    negative = counts[counts.phase == "negative_specific_heat"]
    assert list(negative.kind) == ["up", "down", ALL_KINDS]
    assert list(negative.n_layers) == [N_LAYERS - 2, N_LAYERS - 2, 2 * (N_LAYERS - 2)]
    assert (np.abs(negative.observed - negative.expected) < 2).all()
    assert (negative.p_value > 0.01).all()
    assert counts.p_value.between(2 / 200, 1).all()


def test_an_order_with_structure_differs_from_a_shuffled_one():
    n = 40
    steady = {name: np.tile(np.linspace(1, 2, n), (3, 1)) for name in STATE}  # E and T rise together
    steady["temperature"] = steady["temperature"] * 100
    shuffled = shuffle_flags(steady, FlagRules(), 99, np.random.default_rng(0))["negative_specific_heat"]
    assert flag(derive(steady), FlagRules())["negative_specific_heat"].sum() == 0
    assert shuffled.counts.shape == (99,)
    mixed = {**steady, "energy": steady["energy"][:, ::-1] ** 3 + np.sin(np.arange(n))}
    found = shuffle_flags(mixed, FlagRules(), 99, np.random.default_rng(0))["negative_specific_heat"]
    assert 0 < found.share < 1


def test_the_same_seed_gives_the_same_numbers_whatever_other_sets_there_are():
    options = PhaseOptions(n_permutations=19)
    alone = phases(make_states(3), options, seed=3).counts
    both = pd.concat([make_states(3), make_states(3, sets=("t",), seed=9)])
    beside = phases(both, options, seed=3).counts
    pd.testing.assert_frame_equal(alone, beside[beside.prompt_set == "s"].reset_index(drop=True))


def test_a_threshold_changes_flags_and_nothing_else():
    states = make_states()
    loose = phases(states, PhaseOptions(compressibility_sigmas=0.1, n_permutations=19), seed=0)
    tight = phases(states, PhaseOptions(compressibility_sigmas=9.0, n_permutations=19), seed=0)
    assert loose.flags.high_compressibility.sum() > tight.flags.high_compressibility.sum() == 0
    other = ["latent_heat_jump", "negative_specific_heat", "susceptibility_divergence"]
    pd.testing.assert_frame_equal(loose.flags[other], tight.flags[other])


def test_the_published_order_has_one_sequence_of_all_kinds():
    found = phases(make_states(order="name"), PhaseOptions(order="name", n_permutations=19), seed=0)
    assert set(found.counts.kind) == {"all"}
    assert (found.counts.n_layers == 2 * N_LAYERS + 1 - 2).all()


def test_a_step_along_depth_is_a_change_point_on_every_prompt():
    layers = phases(make_states(3, jump_at=8), OPTIONS, seed=0).layers
    changes = layers[layers.phase == "change_point"]
    assert (changes[changes.layer == 8].share == 1).all()
    assert changes[changes.layer != 8].share.max() < 0.5
    assert (changes.expected_share < 0.2).all()


def test_change_points_of_short_flat_or_broken_signals():
    assert not change_points(np.ones((3, 4)), 2.0).any()
    assert not change_points(np.ones((30, 4)), 2.0).any()
    assert not change_points(np.full((30, 2), np.nan), 2.0).any()
    noise = np.random.default_rng(0).normal(size=(200, 30, 4))
    assert np.mean([change_points(signal, 2.0).any() for signal in noise]) < 0.05
    share, expected = change_shares({name: np.ones((2, 5)) for name in STATE}, 2.0, 19, np.random.default_rng(0))
    assert not share.any()
    assert expected == 0


def test_sequences_without_a_finite_temperature_have_a_status_in_place_of_no_flags():
    states = make_states()
    is_up = states["kind"] == "up"
    states.loc[is_up, [name for name in states if "temperature" in name]] = np.nan
    _, layers, counts = phases(states, OPTIONS, seed=1)
    for table in (layers, counts):
        flagged = table.loc[table["status"] != "ok", "kind"]
        assert set(flagged) == {"up"}
        assert len(flagged) == (table["kind"] == "up").sum()
    assert counts.loc[counts["kind"] == ALL_KINDS, "status"].tolist() == ["ok"] * len(FLAGS)


def test_means_over_prompts_have_intervals_and_a_status_for_missing_values():
    states = make_states(6)
    states.loc[states.index[0], "temperature"] = np.inf
    found = state_means(states, seed=0, n_resamples=999, confidence_level=0.95)
    assert len(found) == 3 * states.parameter.nunique()
    ok = found[found.status == "ok"]
    assert ((ok.ci_low <= ok["mean"]) & (ok["mean"] <= ok.ci_high)).all()
    (bad,) = found[found.status != "ok"].itertuples()
    assert (bad.quantity, bad.n_prompts) == ("temperature", 5)
    assert "1 of 6 prompts left out" in bad.status
    assert np.isfinite(bad.mean)
    assert np.isnan(bad.ci_low)


def test_intervals_of_many_means_cover_and_shrink():
    rng = np.random.default_rng(0)
    found = mean_intervals(rng.normal(size=(30, 400)), seed=1, n_resamples=999, confidence_level=0.9)
    covered = ((found.low <= 0) & (found.high >= 0)).mean()
    assert 0.8 < covered < 0.95  # percentiles of thirty values are a little narrow
    equal = mean_intervals(np.full((5, 2), 7.3), seed=0, n_resamples=99)
    np.testing.assert_array_equal(equal.low, equal.high)
    single = mean_intervals(np.ones((1, 2)), seed=0)
    assert np.isnan(single.low).all()
    empty = mean_intervals(np.full((3, 1), np.nan), seed=0)
    assert np.isnan(empty.mean).all()


def test_options_come_from_the_config():
    from internal_physics.config.load import load_config

    config = load_config({
        "models": {"m": {"source": "path:x"}},
        "prompt_sets": {"s": {"prompts": [{"name": n, "text": "a b"} for n in "abc"]}},
        "thermodynamics": {"flags": "fixed", "susceptibility_threshold": 0.5},
    })  # fmt: skip
    options = PhaseOptions(**config.raw["thermodynamics"])
    assert options == PhaseOptions(flags="fixed", susceptibility_threshold=0.5)


@pytest.mark.parametrize("prompts", [1, 2])
def test_few_prompts_still_give_every_row(prompts):
    found = phases(make_states(prompts), PhaseOptions(n_permutations=19), seed=0)
    assert len(found.layers) == 2 * (N_LAYERS - 2) * (len(FLAGS) + 1)
    assert np.isfinite(found.layers[["share", "expected_share"]]).all().all()
