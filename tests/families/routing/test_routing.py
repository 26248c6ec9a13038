"""Routing of hand-made records, with known loads and entropies; its tables and its figure."""

import numpy as np
import pytest
from hand_traces import make_trace
from internal_physics.families.routing import expert_loads, routing
from internal_physics.families.routing.figures.expert_load import draw
from internal_physics.families.routing.routed import PER_PROMPT, entropy_nats, load, probabilities, routing_rows
from internal_physics.families.routing.tables import EXPERT_LOADS, ROUTING
from internal_physics.figures.style import notes_of
from internal_physics.tables.check_tables import table_problems
from internal_physics.tables.conform import conform
from internal_physics.tables.measure import measure
from routed_traces import N_EXPERTS, SURE, make_metric_rows, traced


@pytest.fixture(scope="module")
def metric_rows():
    return make_metric_rows()


def test_load_is_the_share_of_all_choices():
    np.testing.assert_allclose(load(np.array([[0, 1], [1, 0], [0, 2]]), N_EXPERTS), [1 / 2, 1 / 3, 1 / 6, 0])


def test_entropies_of_known_shares():
    assert entropy_nats(np.array([1.0, 0, 0])) == 0
    assert entropy_nats(np.full(8, 1 / 8)) == pytest.approx(np.log(8), rel=1e-12)
    np.testing.assert_allclose(probabilities(np.array([[0.0, np.log(3)]])), [[0.25, 0.75]], rtol=1e-12)
    np.testing.assert_allclose(probabilities(np.array([[1e4, 1e4]])), [[0.5, 0.5]])  # large scores do not overflow


def test_a_router_that_is_sure_of_different_experts_is_decided_about_tokens_and_not_about_the_prompt():
    row = {r.quantity: r.value for r in routing_rows(traced("a", [[0, 1], [1, 0], [0, 1]])) if r.rank is None}
    assert row["token_entropy_nats"] < 0.01
    assert row["mean_entropy_nats"] == pytest.approx(-(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3)), abs=0.01)
    assert row["load_entropy_nats"] == pytest.approx(np.log(2))
    assert (row["n_experts"], row["n_chosen"], row["n_used"]) == (4, 2, 2)


def test_a_model_without_experts_has_no_rows_and_empty_tables():
    assert routing_rows(make_trace()) == []
    ((_, rows),) = measure("internal_physics.families.routing.routed", [make_trace()])
    for made in (routing, expert_loads):
        assert len(conform(made.rows(rows), made.TABLE)) == 0
    assert list(PER_PROMPT) == ["routing"]


def test_tables_have_a_row_per_block_and_per_expert(metric_rows):
    of_prompts = conform(routing.rows(metric_rows), ROUTING)
    assert of_prompts["prompt"].tolist() == ["a", "b"]
    assert of_prompts["top_experts"].tolist() == ["0, 1, 2", "0, 1"]
    assert of_prompts["n_used"].tolist() == [3, 2]
    assert of_prompts["top_load"].tolist() == pytest.approx([1, 1])
    loads = conform(expert_loads.rows(metric_rows), EXPERT_LOADS)
    np.testing.assert_allclose(loads["load"], [1 / 2, 5 / 12, 1 / 12, 0])
    assert loads["n_reached"].tolist() == [2, 2, 1, 0]
    assert set(loads["n_prompts"]) == {2}
    for table, rows in {ROUTING: of_prompts, EXPERT_LOADS: loads}.items():
        assert table_problems(rows, table) == []


def test_scores_that_are_not_finite_have_a_status_and_the_load_stays():
    scores = SURE.copy()
    scores[1] = np.nan
    ((_, rows),) = measure("internal_physics.families.routing.routed", [traced("a", [[0], [1], [0]], scores)])
    of_prompt = conform(routing.rows(rows), ROUTING)
    assert of_prompt["status"].tolist() == ["a score of the router is not finite"]
    loads = conform(expert_loads.rows(rows), EXPERT_LOADS)
    assert loads["load"].sum() == pytest.approx(1)
    assert set(loads["status"]) == {"1 prompt without finite scores of the router"}
    assert table_problems(of_prompt, ROUTING) == table_problems(loads, EXPERT_LOADS) == []


def test_the_figure_shows_the_load_relative_to_an_even_one(metric_rows):
    loads = conform(expert_loads.rows(metric_rows), EXPERT_LOADS)
    figure = draw(loads, "s", models=["m", "dense"])
    images = [ax.images[0] for ax in figure.axes if ax.images and ax.get_ylabel() == "block"]
    assert len(images) == 1  # a model without experts has none
    shown = images[0].get_array()
    np.testing.assert_allclose(shown[1], [2, 5 / 3, 1 / 3, 0])
    assert shown.mask[0].all()  # block 0 has no experts
    assert "1 is an even share" in notes_of(figure)


def test_without_experts_the_figure_says_so(metric_rows):
    figure = draw(conform(expert_loads.rows(metric_rows), EXPERT_LOADS).iloc[:0], "s", models=["m"])
    assert any("no model with experts" in text.get_text() for text in figure.axes[0].texts)
    assert list(figure.axes[0].get_xticks()) == list(figure.axes[0].get_yticks()) == []
