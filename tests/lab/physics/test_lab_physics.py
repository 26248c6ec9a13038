"""The physics of checkpoints beside what they know: which texts are known, and what moves when."""

import pandas as pd
import pytest
from internal_physics.figures import style
from internal_physics.lab.physics.along import physics_along
from internal_physics.lab.physics.figures.lab_physics import draw
from internal_physics.lab.physics.read import what_is_learned
from internal_physics.lab.physics.seen import seen
from internal_physics.lab.physics.tables import LAB_PHYSICS
from internal_physics.tables.conform import conform

STEPS = (100, 200, 400)
TRAININGS = {f"t{seed}": {"arm": "a", "seed": seed, "experiment": "knowledge"} for seed in (0, 1)}
KNOWN = {100: 0.1, 200: 0.2, 400: 0.9}  # most is learned between 200 and 400
EC = {"t0": (1.0, 1.1, 3.0), "t1": (1.0, 4.0, 4.1)}  # moves with it in one training, before it in the other


def series(parent, prompt_set, quantity, values, unit="1"):
    rows = [{"step": step, "value": value} for step, value in zip(STEPS, values, strict=True)]
    return pd.DataFrame(rows).assign(parent=parent, prompt_set=prompt_set, quantity=quantity, unit=unit, status="ok")


@pytest.fixture
def rows():
    training = pd.concat(
        [series(f"t{seed}", f"s{s}", "loss", (5, 3, 1 if s == seed else 6)) for seed in (0, 1) for s in (0, 1)]
        + [series(parent, f"s{s}", "ec", values) for parent, values in EC.items() for s in (0, 1)]
    )
    velocities = {
        "step": STEPS,
        "previous_step": [None, 100, 200],
        "velocity": [None, 0.5, 0.1],
        "effective_rank": [9, 8, 2],
    }
    kernels = pd.DataFrame({"parent": "t0", **velocities, "source": "factors", "status": "ok"})
    losses = pd.DataFrame(
        [
            {"arm": "a", "seed": s, "step": step, "loss_nats": 1 / step}
            for s in (0, 1)
            for step in (95, 100, 150, 200, 400)
        ]
    )
    learned = pd.DataFrame([{"arm": "a", "seed": s, "step": k, "value": v} for s in (0, 1) for k, v in KNOWN.items()])
    made = physics_along(
        training=training, kernels=kernels, losses=losses, learned={"knowledge": learned}, trainings=TRAININGS
    )
    return conform(made[list(LAB_PHYSICS.columns)], LAB_PHYSICS)


def value(rows, parent, quantity, step):
    return rows[(rows["parent"] == parent) & (rows["quantity"] == quantity) & (rows["step"] == step)].iloc[0]


def test_the_known_texts_are_those_with_the_smallest_loss_at_the_end(rows):
    texts = rows[rows["quantity"] == "ec"].drop_duplicates(["parent", "prompt_set"])
    assert dict(zip(texts["parent"] + texts["prompt_set"], texts["texts"], strict=True)) == {
        "t0s0": "known",
        "t0s1": "other",
        "t1s0": "other",
        "t1s1": "known",
    }


def test_the_largest_change_is_marked_and_a_velocity_is_a_change_itself(rows):
    assert value(rows, "t0", "ec", 400)["moves_most"]
    assert value(rows, "t1", "ec", 200)["moves_most"]
    velocity = value(rows, "t0", "kernel_velocity", 200)
    assert velocity["moves_most"]
    assert not value(rows, "t0", "kernel_velocity", 400)["moves_most"]
    assert value(rows, "t0", "kernel_effective_rank", 400)["moves_most"]


def test_the_training_loss_is_that_shortly_before_the_checkpoint(rows):
    assert value(rows, "t0", "training_loss", 100)["value"] == pytest.approx((1 / 95 + 1 / 100) / 2, rel=1e-12)
    assert value(rows, "t0", "training_loss", 200)["value"] == pytest.approx(1 / 200, rel=1e-12)


def test_what_is_seen_says_between_which_steps_and_how_often_with_what_is_known(rows):
    said = seen(rows)
    assert said["trainings"] == ["t0", "t1"]
    found = {(row["quantity"], row["texts"]): row for row in said["rows"]}
    assert [cell["between"] for cell in found["what is known", ""]["cells"]] == ["200 to 400", "200 to 400"]
    ec = found["EC", "known texts"]
    assert [cell["when"] for cell in ec["cells"]] == ["with", "before"]
    assert ec["cells"][0]["from_to"] == "1.1 to 3"
    assert (ec["n_with"], ec["n"]) == (1, 2)
    kernel = found["kernel (velocity)", ""]["cells"]
    assert [cell["between"] for cell in kernel] == ["100 to 200", "no change"]
    assert "by chance in one training of 2. Each arm has 2 seeds" in said["caution"]


def test_only_the_rows_that_count_say_what_is_learned():
    table = pd.DataFrame({"arm": "a", "seed": 0, "step": 1, "task": ["biography", "question"], "accuracy": [0.5, 0.1]})
    of = {"column": "accuracy", "rows": [["task", "biography"]]}
    assert what_is_learned(table, of)["value"].tolist() == [0.5]


def test_the_figure_has_a_row_for_each_quantity_and_shades_where_most_is_learned(rows):
    figure = draw(rows)
    labels = [ax.get_ylabel().replace("\n", " ") for ax in figure.axes]
    assert labels[:3] == ["what is known", "training loss (nats)", "EC"]
    assert all(len(ax.patches) == 2 for ax in figure.axes)  # one band for each seed
    assert "Shaded" in style.notes_of(figure)
    assert len(draw(rows.iloc[:0]).axes) == 1


def test_the_figure_speaks_of_other_texts_only_where_there_are_some(rows):
    for shown, is_said in ((rows, True), (rows[rows["texts"] != "other"], False)):
        figure = draw(shown)
        labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        assert ("texts that it did not have" in labels) == is_said
        assert ("dotted" in style.notes_of(figure)) == is_said and "Shaded" in style.notes_of(figure)
