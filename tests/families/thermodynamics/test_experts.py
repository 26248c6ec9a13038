"""Rows of experts: a matrix each, no derivative along depth, and a status where no prompt reached them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import transformers as T
from hand_traces import make_trace
from internal_physics.families.thermodynamics.collect_thermodynamics import flagged_states
from internal_physics.families.thermodynamics.figures.expert_temperature import draw
from internal_physics.families.thermodynamics.phases import PhaseOptions, phases
from internal_physics.families.thermodynamics.pulls import pulls_means, top_pulls, with_measures
from internal_physics.families.thermodynamics.spectra import weight_spectra
from internal_physics.families.thermodynamics.state_means import state_means
from internal_physics.families.thermodynamics.statuses import NOT_REACHED, PARTLY_REACHED
from internal_physics.families.thermodynamics.tables import PULLS, PULLS_MEANS, THERMODYNAMICS, THERMODYNAMICS_MEANS
from internal_physics.families.thermodynamics.thermodynamics import NO_ORDER, thermodynamics, thermodynamics_of
from internal_physics.ground.errors import StoreError
from internal_physics.models.loading import wrap_model
from internal_physics.models.weights import weights_of
from internal_physics.records.info import ParameterInfo, Use
from internal_physics.records.trace import Trace
from internal_physics.tables.check_tables import table_problems
from internal_physics.tables.conform import conform
from synthetic_weights import Record, make_weights, with_experts

SIZES = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}
SIZES |= {"num_attention_heads": 2, "num_key_value_heads": 2}
BUSY, RARE, IDLE = (f"mlp.experts.{e}.w2" for e in range(3))
MAPS = ("self_attn.q_proj", BUSY, RARE, IDLE)
N_LAYERS = 4


@pytest.fixture(scope="module")
def mixtral():
    torch.manual_seed(0)
    config = T.MixtralConfig(**SIZES, num_local_experts=3, num_experts_per_tok=1)
    return wrap_model(T.AutoModelForCausalLM.from_config(config), None, "causal")


@pytest.fixture(scope="module")
def made():
    """Weights and states of two prompts: the first reaches experts 0 and 1 of every block, the second expert 0 only."""
    weights = make_weights("m", N_LAYERS, np.random.default_rng(0), MAPS)
    records = [
        Record("m", prompt, {name: 0.0 if any(i in name for i in idle) else 0.5 for name in weights["parameter"]})
        for prompt, idle in {"a": (IDLE,), "b": (IDLE, RARE)}.items()
    ]
    return weights, thermodynamics_of(records, weights)


def of(rows, name, **where):
    chosen = rows["parameter"].str.contains(name, regex=False)
    for column, value in where.items():
        chosen &= rows[column] == value
    return rows[chosen]


def test_every_expert_router_and_convolution_has_a_spectrum_of_its_own_matrix(mixtral):
    rows = weight_spectra(mixtral).set_index("parameter")
    stack = mixtral.module.model.layers[1].mlp.experts.down_proj.detach()
    for e in range(3):
        row = rows.loc[f"model.layers.1.mlp.experts.down_proj[{e}]"]
        np.testing.assert_allclose(row["singular_values"], np.linalg.svd(stack[e].numpy())[1], rtol=2e-5)
        assert (row["kind"], row["layer"], list(row["shape"])) == ("expert_down", 1, [16, 24])
    assert rows.loc["model.layers.0.mlp.gate.weight", "kind"] == "router"
    assert len(rows) == 2 + 2 * (4 + 1 + 3 * 2)  # tables; attention, router and two stacks of each block


def test_matrices_are_views_of_the_model_and_convolutions_are_seen_as_a_matrix():
    mamba = T.MambaConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1, state_size=4, time_step_rank=2)
    model = wrap_model(T.AutoModelForCausalLM.from_config(mamba), None, "causal")
    found = {w.parameter: w for w in weights_of(model.module, model.anatomy)}
    assert set(found) == {n for n, p in model.module.named_parameters() if p.ndim >= 2}
    convolution = model.module.backbone.layers[0].mixer.conv1d.weight
    weight = found["backbone.layers.0.mixer.conv1d.weight"]
    assert (weight.kind, weight.shape) == ("convolution", (32, 4))
    assert weight.dense().untyped_storage().data_ptr() == convolution.untyped_storage().data_ptr()


def test_an_expert_that_a_prompt_did_not_reach_has_a_status_and_no_temperature(made):
    _, (states, _) = made
    idle = of(states, IDLE)
    assert len(idle) == 2 * N_LAYERS
    assert set(idle["status"]) == {NOT_REACHED}
    assert idle[["temperature", "free_energy"]].isna().all(axis=None)
    assert (idle["gradient_norm"] == 0).all()
    assert np.isfinite(idle[["entropy_nats", "energy"]]).all(axis=None)  # they belong to the weight
    assert set(of(states, BUSY)["status"]) == {"ok"}
    assert set(of(states, RARE).groupby("prompt")["status"].first()) == {"ok", NOT_REACHED}


def test_experts_have_no_derivative_and_no_phases_since_their_numbers_are_arbitrary(made):
    _, (states, _) = made
    for experts in (BUSY, RARE, IDLE):
        assert set(of(states, experts)["derivative_status"]) == {NO_ORDER}
        assert of(states, experts)["d_temperature"].isna().all()
    query = of(states, "q_proj", prompt="a")
    assert list(np.isfinite(query["d_temperature"])) == [False, True, True, False]
    found = phases(states, PhaseOptions(n_permutations=19), seed=0)
    assert set(found.layers["kind"]) == {"query"}
    assert not of(found.flags, "experts").filter(like="jump").any(axis=None)


def test_scores_are_not_flagged_for_experts_that_were_not_reached(made):
    _, (_, scores) = made
    assert set(scores["status"]) == {"ok"}
    assert "temperature_expert_down" in set(scores["quantity"])


def test_means_of_a_set_are_over_the_prompts_that_reached_the_expert(made):
    _, (states, _) = made
    means = state_means(states, seed=0, n_resamples=99, confidence_level=0.95)
    rare = of(means, RARE, quantity="temperature")
    assert set(rare["status"]) == {PARTLY_REACHED}
    reached = of(states, RARE, prompt="a").set_index("parameter")["temperature"]
    np.testing.assert_allclose(rare.set_index("parameter")["mean"], reached)
    assert set(rare["n_prompts"]) == {1}
    assert set(of(means, RARE, quantity="gradient_norm")["mean"]) == {0.25}  # the gradient is zero on the other
    idle = of(means, IDLE)
    assert set(idle["status"]) == {NOT_REACHED}
    assert idle[["mean", "ci_low", "ci_high"]].isna().all(axis=None)
    assert table_problems(conform(with_experts(means), THERMODYNAMICS_MEANS), THERMODYNAMICS_MEANS) == []


def test_pulls_of_an_expert_that_was_not_reached_have_a_status_and_no_number(made):
    _, (states, _) = made
    measured = with_measures(states)
    top = top_pulls(measured)
    assert set(of(top, IDLE)["status"]) <= {NOT_REACHED}
    assert of(top, IDLE)["value"].isna().all()
    means = pulls_means(measured, seed=0, n_resamples=99, confidence_level=0.95)
    assert of(means, IDLE)["mean"].isna().all()
    assert set(of(means, IDLE)["status"]) == {NOT_REACHED}
    shares = of(means, "", measure="gradient_share")
    assert shares["mean"].sum() == pytest.approx(1.0)  # that of a rare expert counts the prompts without it as zero
    assert set(of(means, RARE)["status"]) == {"ok"}
    for table, rows in {PULLS: top, PULLS_MEANS: means}.items():
        assert table_problems(conform(rows, table), table) == []


def test_the_tables_have_the_number_of_the_expert(made):
    _, (states, _) = made
    found = phases(states, PhaseOptions(n_permutations=19), seed=0)
    table = conform(flagged_states(states, found.flags), THERMODYNAMICS)
    assert table_problems(table, THERMODYNAMICS) == []
    assert set(of(table, RARE)["expert"]) == {1}
    assert of(table, "q_proj")["expert"].isna().all()


def test_a_stack_that_is_seen_as_one_weight_has_the_norm_of_all_its_matrices():
    trace = make_trace(keep="norms")
    heads = [ParameterInfo(f"gates[{h}]", (2, 3), 0, False, (Use("gates", 0, False, "gates", 0),)) for h in range(2)]
    norms = {("gates[0]", 0, "gradient_norm"): np.array(3.0), ("gates[1]", 0, "gradient_norm"): np.array(4.0)}
    whole = Trace(replace(trace.info, parameters=tuple(heads)), norms)
    weights = make_weights("m", 1, np.random.default_rng(0), ("gates",)).assign(parameter="gates")
    assert thermodynamics(whole, weights)["gradient_norm"].tolist() == [5.0]


def test_spectra_of_another_model_are_refused_with_experts_too():
    weights = pd.DataFrame(make_weights("m", 1, np.random.default_rng(0), (BUSY,)))
    with pytest.raises(StoreError, match=r"the record has 'layers\.0\.other\.weight', the spectra do not"):
        thermodynamics(Record("m", "p", {"layers.0.other.weight": 1.0}), weights)


def test_the_figure_shows_the_temperature_of_each_expert_that_was_reached(made):
    _, (states, _) = made
    means = with_experts(state_means(states, seed=0, n_resamples=99, confidence_level=0.95))
    figure = draw(means, "s", models=["m", "dense"])
    (image,) = [ax.images[0].get_array() for ax in figure.axes if ax.get_ylabel() == "block"]
    busy = of(means, BUSY, quantity="temperature").sort_values("layer")["mean"]
    np.testing.assert_allclose(image[:, 0], busy)
    assert image.mask[:, 2].all()
    assert not image.mask[:, :2].any()
    dense = draw(means[means["expert"].isna()], "s")
    assert "no model with experts" in dense.axes[0].texts[0].get_text()
