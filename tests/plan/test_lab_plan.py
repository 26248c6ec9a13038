"""What the lab's jobs depend on: an option of an arm on that arm's trainings, a probe on no training."""

import copy
from pathlib import Path

import pytest
from internal_physics.config.load import load_config
from internal_physics.ground.errors import ConfigError
from internal_physics.plan.lab_plan import LOSSES, LabPlan

GOOD = {
    "models": {"m": {"source": "lab:one/0"}},
    "prompt_sets": {"s": {"prompts": [{"name": f"p{i}", "text": "a b c"} for i in range(4)]}},
    "lab": {
        "arms": {
            "one": {"rows": {"file": "rows.txt"}},
            "two": {"rows": {"file": "other.txt"}, "seeds": [3]},
            "rotary": {"grammar": {}},
        }
    },
}


def plan(change=lambda lab: None) -> LabPlan:
    raw = copy.deepcopy(GOOD)
    change(raw["lab"])
    config = load_config(raw)
    return LabPlan(config.arms, config.raw["lab"]["measures"])


@pytest.fixture
def before():
    return plan()


def test_a_changed_option_changes_what_decides_that_arm_alone(before):
    after = plan(lambda lab: lab["arms"]["one"].update(model={"width": 64}))
    changed = [name for name in before.arms if before.training(name) != after.training(name)]
    assert changed == ["one"]
    assert all(before.measure_options(name) == after.measure_options(name) for name in before.arms)


def test_a_changed_probe_changes_no_training(before):
    after = plan(lambda lab: lab.update(measures={"grammar": {"probe_steps": 7}}))
    assert all(before.training(name) == after.training(name) for name in before.arms)
    assert [name for name in before.arms if before.measure_options(name) != after.measure_options(name)] == ["rotary"]


def test_trainings_are_arms_times_their_seeds(before):
    assert before.for_trainings(LOSSES) == [
        f"results/lab/arms/{place}/training.parquet"
        for place in ("one/seed-0", "one/seed-1", "two/seed-3", "rotary/seed-0", "rotary/seed-1")
    ]
    assert before.experiments == ["rows", "grammar"]
    assert before.seeds == ["0", "1", "3"]


def test_files_that_data_options_name_are_inputs(before):
    assert [before.input_files(name) for name in before.arms] == [["rows.txt"], ["other.txt"], []]


def test_an_arm_that_starts_from_another_takes_its_training_of_the_same_seed(before):
    after = plan(lambda lab: lab["arms"].update(more={"rows": {"file": "more.txt"}, "starts_from": "one"}))
    assert after.first_weights("more", "1") == ["results/lab/arms/one/seed-1/steps"]
    assert before.first_weights("one", "1") == after.first_weights("one", "1") == []


@pytest.mark.parametrize(
    ("arm", "said"),
    [
        ({"rows": {"file": "a"}, "starts_from": "ome"}, "there is no arm 'ome'"),
        ({"rows": {"file": "a"}, "starts_from": "one", "model": {"width": 64}}, "one has another experiment or model"),
        ({"grammar": {}, "starts_from": "one"}, "one has another experiment or model"),
        ({"rows": {"file": "a"}, "starts_from": "two", "seeds": [3, 4]}, "two is not trained with seed 4"),
        ({"rows": {"file": "a"}, "starts_from": "more"}, "more itself starts from more"),
    ],
)
def test_an_arm_that_cannot_start_from_another_is_refused(arm, said):
    with pytest.raises(ConfigError, match=said):
        plan(lambda lab: lab["arms"].update(more=arm))


@pytest.mark.parametrize(
    ("source", "place"), [("ome", "config: lab → arms → more → starts_from"), ("", "config: models → m → source")]
)
def test_an_arm_that_is_not_there_is_refused_with_its_place_and_those_that_are(source, place):
    raw = copy.deepcopy(GOOD)
    if source:
        raw["lab"]["arms"]["more"] = {"rows": {"file": "a"}, "starts_from": source}
    else:
        raw["models"]["m"]["source"] = "lab:nobody/0"
    with pytest.raises(ConfigError) as refused:
        load_config(raw)
    lines = str(refused.value).splitlines()
    assert lines[0].startswith(f"{place}: there is no arm")
    assert lines[1].strip() == "expected: one of one, two, rotary"
    assert ("did you mean 'one'?" if source else "add 'nobody' to `lab.arms`") in lines[2]


def test_the_target_asks_for_tables_gates_and_figures(before):
    made = before.outputs(["png"])
    assert {"results/lab/tables/lab_gates.csv", "results/lab/tables/lab_rows.parquet"} <= set(made)
    assert "results/lab/figures/lab_grammar_learning.png" in made
    assert len(made) == len(set(made))
    assert "results/lab/report.html" in made
    assert {"results/lab/tables/lab_kernel.csv", "results/lab/figures/lab_kernel.png"} <= set(made)


def test_gradients_of_trainings_are_compared_where_the_experiment_says_how(before):
    assert [(of["arm"], of["seed"]) for of in before.kernel_trainings()] == [("rotary", 0), ("rotary", 1)]
    assert before.kernel_steps() == [f"results/lab/arms/rotary/seed-{seed}/steps" for seed in (0, 1)]
    plain = plan(lambda lab: lab["arms"].pop("rotary"))
    assert plain.kernel_trainings() == []
    assert "kernels" not in plain.titled()
    assert not [path for path in plain.outputs(["png"]) if "kernel" in path]


def test_the_report_shows_every_experiment_with_arms_and_its_figures_as_png(before):
    titled = before.titled()
    assert list(titled) == ["rows", "grammar", "kernels"]
    figures = before.shown()["lab_figures"]
    assert [Path(path).stem for path in figures] == [*titled["grammar"]["figures"], *titled["kernels"]["figures"]]
    assert {Path(path).suffix for path in figures} == {".png"}


def test_without_arms_there_is_nothing_to_train():
    raw = copy.deepcopy(GOOD) | {"lab": {}, "models": {"m": {"source": "hf:org/name"}}}
    config = load_config(raw)
    empty = LabPlan(config.arms, config.raw["lab"]["measures"])
    assert empty.for_trainings(LOSSES) == []
    assert empty.experiments == []
    assert empty.shown() == {}


def test_checkpoints_of_trainings_are_followed_beside_what_counts_as_learned(before):
    models = {"other": {"source": "hf:org/name@step1", "parent": "pythia"}, "last": {"source": "lab:one/1"}}
    models |= {f"m-step{step}": {"source": f"lab:one/1@{step}", "parent": "m"} for step in (0, 5)}
    assert before.followed(models) == {"m": {"arm": "one", "seed": 1, "experiment": "rows"}}
    assert before.learned(models) == {}
    known = plan(lambda lab: lab["arms"].update(k={"knowledge": {"people": 4}}))
    learned = known.learned({"k-step5": {"source": "lab:k/0@5", "parent": "k"}})
    assert learned["knowledge"]["table"] == "lab_knowledge"
    assert set(known.read_by_physics({"k-step5": {"source": "lab:k@5", "parent": "k"}})) == {
        "lab_training",
        "lab_knowledge",
    }
