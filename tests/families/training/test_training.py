"""Checkpoints along the steps of their training: values, plateaus, distances of kernels, and the figures."""

import itertools

import numpy as np
import pandas as pd
import pytest
from internal_physics.families.run.tables import MODELS
from internal_physics.families.training.figures import along_training as along_figure
from internal_physics.families.training.figures import kernel_along_training as kernel_figure
from internal_physics.families.training.figures.steps import scale_steps, scale_values
from internal_physics.families.training.kernels import NO_PROMPTS, ZERO, kernel_distance, kernels_along_training
from internal_physics.families.training.tables import TRAINING, TRAINING_KERNELS
from internal_physics.ground.status import OK
from internal_physics.tables.conform import conform
from made_up_training import (
    JUMP,
    NAMES,
    STEPS,
    TABLE_OF_MODELS,
    kernel_rows,
    make_training,
    make_training_kernels,
    random_kernels,
    summary,
)
from matplotlib.figure import Figure


@pytest.fixture(scope="module")
def training():
    return make_training()


def test_checkpoints_have_their_values_in_the_order_of_steps(training):
    assert "alone" not in set(training["model"])
    slow = training[(training["parent"] == "slow") & (training["quantity"] == "ec")]
    assert slow["step"].tolist() == list(STEPS)
    assert slow["value"].tolist() == [JUMP[f"slow-{step}"] for step in STEPS]
    assert not training.duplicated(list(TRAINING.key)).any()


def test_losses_are_means_over_finite_prompts_and_say_when_there_is_none(training):
    loss = training[training["quantity"] == "loss"].set_index("model")
    assert loss.loc["slow-100", ["value", "n_prompts", "status"]].tolist() == [4.5, 2, OK]
    assert loss.loc["fast-0", "n_prompts"] == 0
    assert loss.loc["fast-0", "status"] == "no prompt has a finite value"
    assert np.isnan(loss.loc["fast-0", "value"])


def test_a_plateau_begins_where_the_value_jumps_and_is_unknown_for_few_checkpoints(training):
    ec = training[training["quantity"] == "ec"]
    slow, fast = (ec[ec["parent"] == parent]["begins_plateau"] for parent in ("slow", "fast"))
    assert slow.tolist() == [False, False, False, True, False, False]
    assert fast.isna().all()


def test_distances_of_kernels_are_those_of_the_formula_on_the_prompts_that_all_have():
    names = NAMES[:4]
    matrices = random_kernels(names, (5, 4, 5, 4))
    found = kernels_along_training(kernel_rows(matrices), summary(names), TABLE_OF_MODELS, penalty=2)
    rows = conform(found.reindex(columns=list(TRAINING_KERNELS.columns)), TRAINING_KERNELS)
    assert rows["n_prompts"].tolist() == [4] * 4
    common = [matrix[:4, :4] for matrix in matrices.values()]

    def distance(a, b):
        return 1 - np.trace(a @ b) / np.sqrt((a**2).sum() * (b**2).sum())

    assert rows["distance_from_first"].tolist() == pytest.approx([distance(common[0], k) for k in common], abs=1e-12)
    velocities = [distance(a, b) for a, b in itertools.pairwise(common)]
    assert rows["velocity"].tolist()[1:] == pytest.approx(velocities, abs=1e-12)
    assert np.isnan(rows["velocity"][0])
    assert rows["previous_step"].tolist()[1:] == list(STEPS[:3])
    assert rows["trace"].tolist() == pytest.approx([np.trace(k) for k in common])


def test_a_kernel_of_another_size_and_the_same_shape_is_at_no_distance():
    kernel = np.array([[2.0, 1.0], [1.0, 3.0]])
    assert kernel_distance(kernel, 7 * kernel) == pytest.approx(0, abs=1e-15)
    assert kernel_distance(kernel, -kernel) == pytest.approx(2)
    assert np.isnan(kernel_distance(kernel, 0 * kernel))


def test_kernels_without_common_prompts_or_of_zeros_have_a_status():
    matrices = random_kernels(NAMES[:2], (2, 2))
    rows = kernel_rows(matrices)
    rows.loc[rows["model"] == NAMES[1], ["prompt_set", "other_prompt_set"]] = "others"
    found = kernels_along_training(rows, summary(NAMES[:2]), TABLE_OF_MODELS, penalty=2)
    assert set(found["status"]) == {NO_PROMPTS}
    zero = kernel_rows({NAMES[0]: np.zeros((2, 2)), NAMES[1]: np.eye(2)})
    found = kernels_along_training(zero, summary(NAMES[:2]), TABLE_OF_MODELS, penalty=2)
    assert set(found["status"]) == {ZERO}


def test_the_figure_has_the_loss_above_each_column_and_rings_where_plateaus_begin(training):
    figure = along_figure.draw(training, "facts")
    loss, ec, legend = figure.axes
    assert loss.get_title("left") == "loss on the prompts (nats a token)"
    assert [text.get_text() for text in legend.get_legend().get_texts()] == ["fast", "slow", "a new plateau begins"]
    rings = [line for line in ec.lines if line.get_markersize() == 9]
    assert [list(line.get_xdata()) for line in rings] == [[], [400]]  # fast, slow
    assert "symlog" not in ec.get_xscale()
    empty = along_figure.draw(training, "nothing")
    assert "no checkpoints" in empty.axes[0].texts[0].get_text()


def test_a_training_keeps_its_colour_on_a_prompt_set_that_others_did_not_run(training):
    alone = training[training["parent"] == "slow"].assign(prompt_set="own")
    table = pd.concat([training, alone], ignore_index=True)
    colors = [
        {line.get_label(): line.get_color() for line in along_figure.draw(table, name).axes[0].lines}["slow"]
        for name in ("facts", "own")
    ]
    assert colors[0] == colors[1]


def test_the_figure_of_kernels_draws_all_four_numbers(training):
    rows = make_training_kernels()
    figure = kernel_figure.draw(training, rows)
    drawn = {ax.get_title("left"): len(ax.lines[0].get_xdata()) for ax in figure.axes if ax.lines}
    assert drawn["distance from the first checkpoint"] == 6
    assert drawn["velocity: distance from the checkpoint before"] == 5
    empty = kernel_figure.draw(training, rows[:0])
    assert "no kernels" in empty.axes[0].texts[0].get_text()


def test_steps_far_apart_are_on_a_log_axis_with_labels_at_checkpoints():
    ax = Figure().add_subplot()
    ax.plot([100, 2500], [0, 1])
    assert ax.get_xlim()[0] < 0  # a linear margin, which must not stay
    scale_steps(ax, pd.Series([100, 200, 400, 450, 800, 2500]))
    assert 80 < ax.get_xlim()[0] < 100
    assert ax.get_xscale() == "symlog"
    assert list(ax.get_xticks()) == [100, 200, 450, 800, 2500]
    assert ax.xaxis.get_major_formatter()(2500) == "2,500"


@pytest.mark.parametrize(("values", "is_log"), [([1, 50], True), ([1, 20], False), ([-1, 50], False)])
def test_values_are_on_a_log_axis_only_if_positive_and_far_apart(values, is_log):
    ax = Figure().add_subplot()
    assert scale_values(ax, pd.Series(values)) == is_log
    assert (ax.get_yscale() == "log") == is_log


def test_the_columns_of_the_tables_that_are_read_are_there():
    assert {"model", "parent", "step"} <= set(MODELS.columns)
