"""What a prompt pulls at: shares and ratios against dense gradients, ranks, means, degenerate input, the figure."""

import numpy as np
import pandas as pd
import pytest
from cases import case, dense, recorded
from figure_texts import by_gid, visible_texts
from internal_physics.families.thermodynamics.figures.pulls import draw, share_table
from internal_physics.families.thermodynamics.pulls import pulls_means, top_pulls, with_measures
from internal_physics.families.thermodynamics.tables import MEASURES, PULLS, PULLS_MEANS, TOP
from internal_physics.families.thermodynamics.thermodynamics import temperature
from internal_physics.tables.check_tables import table_problems
from internal_physics.tables.conform import conform

SETTINGS = {"seed": 0, "n_resamples": 199, "confidence_level": 0.95}
PLACE = {"model": "m", "condition": "baseline", "prompt_set": "s"}


def made_up(n_prompts=4, n_layers=6, **changes):
    """States of 2 · n_layers weights: queries whose gradients grow with depth, values whose gradients fall."""
    draw_ = np.random.default_rng(3)
    rows = [
        {
            **PLACE,
            "prompt": f"p{p}",
            "parameter": f"layers.{layer}.{kind}",
            "layer": layer,
            "kind": kind,
            "weight_norm": 4.0 + layer,
            "gradient_norm": (1 + layer if kind == "query" else 9 - layer) * draw_.uniform(0.9, 1.1),
        }
        for p in range(n_prompts)
        for layer in range(n_layers)
        for kind in ("query", "value")
    ]
    return pd.DataFrame(rows).assign(**changes)


@pytest.mark.parametrize("name", ["gpt2", "llama", "bert"])
def test_shares_and_ratios_are_those_of_dense_gradients(name):
    weights = {n: p.detach().numpy() for n, p in case(name, "float64").module.named_parameters()}
    for prompt, trace in recorded(name, "float64").items():
        gradients = {n: dense(name, "float64")[prompt][1][n] for n in trace.parameters}
        total = sum(float((g**2).sum()) for g in gradients.values())
        states = pd.DataFrame([
            {**PLACE, "prompt": prompt, "parameter": n, "weight_norm": np.linalg.norm(weights[n]),
             "gradient_norm": trace.gradient_norm(n)}
            for n in gradients
        ])  # fmt: skip
        found = with_measures(states).set_index("parameter")
        assert found["gradient_share"].sum() == pytest.approx(1.0, abs=1e-12)
        for parameter, gradient in gradients.items():
            share, ratio = (
                float((gradient**2).sum()) / total,
                np.linalg.norm(gradient) / np.linalg.norm(weights[parameter]),
            )
            assert found.loc[parameter, "gradient_share"] == pytest.approx(share, rel=1e-6, abs=1e-12)
            assert found.loc[parameter, "relative_gradient"] == pytest.approx(ratio, rel=1e-6, abs=1e-12)


def test_the_relative_gradient_is_the_inverse_temperature():
    states = with_measures(made_up())
    inverse = 1 / temperature(states["weight_norm"], states["gradient_norm"])
    np.testing.assert_allclose(states["relative_gradient"], inverse, rtol=1e-7)  # 1e-8 is added to ‖G‖ there


def test_scaling_the_loss_changes_no_share_and_every_ratio():
    once, twice = with_measures(made_up()), with_measures(made_up().assign(gradient_norm=lambda s: 2 * s.gradient_norm))
    np.testing.assert_allclose(twice["gradient_share"], once["gradient_share"], rtol=1e-12)
    np.testing.assert_allclose(twice["relative_gradient"], 2 * once["relative_gradient"], rtol=1e-12)


def test_the_top_are_the_ten_largest_in_order():
    states = with_measures(made_up())
    top = conform(top_pulls(states), PULLS)
    assert table_problems(top, PULLS) == []
    assert top.groupby(["prompt", "measure"]).size().tolist() == [TOP] * 8
    for (prompt, measure), rows in top.groupby(["prompt", "measure"]):
        of_prompt = states[states["prompt"] == prompt].sort_values(measure, ascending=False)
        assert rows["parameter"].tolist() == of_prompt["parameter"].tolist()[:TOP]
        assert rows["rank"].tolist() == list(range(1, TOP + 1))
    assert top["prompt"].drop_duplicates().tolist() == ["p0", "p1", "p2", "p3"]


def test_a_model_with_few_weights_has_as_many_ranks():
    assert top_pulls(with_measures(made_up(n_layers=1)))["rank"].max() == 2


def test_means_are_plain_means_with_the_number_of_prompts_that_agree():
    states = with_measures(made_up())
    means = conform(pulls_means(states, **SETTINGS), PULLS_MEANS)
    assert table_problems(means, PULLS_MEANS) == []
    top = top_pulls(states)
    for row in means.itertuples():
        own = states[states["parameter"] == row.parameter]
        assert row.mean == pytest.approx(own[row.measure].mean(), rel=1e-12)
        assert row.ci_low <= row.mean <= row.ci_high
        mine = top[(top["measure"] == row.measure) & (top["parameter"] == row.parameter)]
        assert (row.n_in_top, row.n_prompts) == (len(mine), 4)
    for measure in MEASURES:
        ranked = means[means["measure"] == measure]
        assert ranked["rank"].tolist() == list(range(1, 13))
        assert ranked["mean"].is_monotonic_decreasing
    assert means.loc[means["measure"] == "gradient_share", "mean"].sum() == pytest.approx(1.0, abs=1e-12)


def test_the_same_seed_gives_the_same_intervals():
    states = with_measures(made_up())
    pd.testing.assert_frame_equal(pulls_means(states, **SETTINGS), pulls_means(states, **SETTINGS))


class TestDegenerate:
    def test_a_prompt_without_a_gradient_has_no_shares_and_a_status(self):
        states = with_measures(made_up(gradient_norm=0.0))
        assert states["gradient_share"].isna().all()
        assert (states["relative_gradient"] == 0).all()
        top = conform(top_pulls(states), PULLS)
        assert table_problems(top, PULLS) == []
        assert set(top["status"]) == {
            "the weight is zero, or the prompt's gradients are all zero or not finite",
            "the gradient is zero",
        }
        means = pulls_means(states, **SETTINGS)
        assert (means["n_in_top"] == 0).all()
        assert set(means.loc[means["measure"] == "gradient_share", "status"]) == {"no prompt has a finite value"}

    def test_a_gradient_that_is_not_finite_leaves_its_prompt_without_shares(self):
        states = made_up()
        states.loc[0, "gradient_norm"] = np.inf
        found = with_measures(states)
        assert found.loc[found["prompt"] == "p0", "gradient_share"].isna().all()
        assert np.isnan(found.loc[0, "relative_gradient"])
        assert found.loc[found["prompt"] != "p0", "gradient_share"].notna().all()
        means = conform(pulls_means(found, **SETTINGS), PULLS_MEANS)
        shares = means[means["measure"] == "gradient_share"]
        assert set(shares["status"]) == {"1 of 4 prompts left out: not finite; no interval"}
        assert table_problems(means, PULLS_MEANS) == []

    def test_a_weight_without_a_recorded_gradient_comes_last(self):
        states = made_up()
        states.loc[states["parameter"] == "layers.0.value", "gradient_norm"] = np.nan
        found = with_measures(states)
        assert found.groupby("prompt")["gradient_share"].sum().tolist() == pytest.approx([1.0] * 4, abs=1e-12)
        means = pulls_means(found, **SETTINGS)
        last = means[means["parameter"] == "layers.0.value"]
        assert last["rank"].tolist() == [12, 12]
        assert set(last["status"]) == {"no prompt has a finite value"}

    def test_a_weight_of_zero_has_no_ratio(self):
        found = with_measures(made_up(weight_norm=0.0))
        assert found["relative_gradient"].isna().all()
        assert found["gradient_share"].notna().all()

    def test_one_prompt_has_no_interval(self):
        means = pulls_means(with_measures(made_up(n_prompts=1)), **SETTINGS)
        assert set(means["status"]) == {"one prompt: no interval"}


class TestFigure:
    def test_cells_are_mean_shares_and_the_strongest_are_numbered(self):
        means = pulls_means(with_measures(made_up()), **SETTINGS)
        shares = means[means["measure"] == "gradient_share"]
        table = share_table(shares, ["query", "value"], 6)
        assert table.sum() == pytest.approx(1.0, abs=1e-12)
        figure = draw(means, "s")
        np.testing.assert_allclose(figure.axes[0].images[0].get_array().filled(np.nan), table, rtol=1e-12)
        ranks = sorted(int(text.get_text()) for text in by_gid(figure, "rank"))
        assert ranks == list(range(1, TOP + 1))
        (first,) = [text for text in by_gid(figure, "rank") if text.get_text() == "1"]
        strongest = shares.iloc[0]
        assert first.get_position() == (strongest["layer"], ["query", "value"].index(strongest["kind"]))

    def test_weights_outside_the_blocks_are_named_in_the_title(self):
        states = made_up()
        outside = states[states["layer"] == 0].assign(layer=-1, kind="embedding", parameter="wte", gradient_norm=50.0)
        means = pulls_means(with_measures(pd.concat([states, outside.drop_duplicates("prompt")])), **SETTINGS)
        text = " ".join(t.get_text() for t, _ in visible_texts(draw(means, "s")))
        share = means.loc[(means["measure"] == "gradient_share") & (means["parameter"] == "wte"), "mean"].item()
        assert f"outside the blocks: embedding {100 * share:.1f} % (rank 1)" in text

    def test_a_set_without_a_value_is_drawn_and_says_so(self):
        means = pulls_means(with_measures(made_up(gradient_norm=0.0)), **SETTINGS)
        text = " ".join(" ".join(t.get_text() for t, _ in visible_texts(draw(means, "s"))).split())
        assert "Left out: m, 12 weights (no prompt has a finite value)" in text
