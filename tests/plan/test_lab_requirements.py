"""An arm whose job would end at once is refused when the config is read, by what the job itself calls."""

import importlib
from pathlib import Path

import pytest
from internal_physics.config.load import load_config
from internal_physics.ground.errors import ConfigError, UserError
from internal_physics.lab.experiments.registry import EXPERIMENTS
from internal_physics.lab.options import made
from internal_physics.plan.lab_requirements import refuse_impossible_arms, refuse_steps_after_the_last

PROMPTS = [{"name": f"p{i}", "text": "a b c"} for i in range(4)]
FEW_NAMES = {"people": 300, "name_pool": 24}  # 576 names
ARM = "my.yaml: lab → arms → one"


def check(measures=None, source="path:x", **arm):
    raw = {"models": {"m": {"source": source}}, "prompt_sets": {"s": {"prompts": PROMPTS}}}
    config = load_config(raw | {"lab": {"arms": {"one": arm}, "measures": measures or {}}}, "my.yaml")
    refuse_impossible_arms(config.arms, config.raw["lab"]["measures"], "my.yaml")
    refuse_steps_after_the_last(config.sources, config.arms, "my.yaml")


WRONG = {
    "exposures of capacity": (
        {"capacity": {"exposures": 7, "sizes": {"people": 201}}},
        ("capacity → exposures", "201 people with 7 exposures do not fill whole steps of 16 texts"),
    ),
    "exposures of junk": (
        {"junk": {"exposures": 7, "people_per_window": 3}},
        ("junk → exposures", "200 people with 7 exposures do not fill whole steps of 3 texts"),
    ),
    "exposures of knowledge": (
        {"knowledge": {"people": 151}},
        ("knowledge → exposures", "151 people with 600 exposures do not fill whole steps of 36 texts"),
    ),
    "names of knowledge": ({"knowledge": {"people": 10**7}}, ("knowledge → people", "10000000 people cannot be drawn")),
    "names of capacity": (
        {"capacity": {"sizes": FEW_NAMES}},
        ("capacity → sizes → people", "300 people for 576 names"),
    ),
    "names of junk": (
        {"junk": {"junk_windows": 1, "repeated_people": 300, "sizes": {"name_pool": 24}}},
        ("junk → sizes", "200 people and 300 strangers for 576 names"),
    ),
    "strings": ({"capacity": {"sizes": {"diversity": 65}}}, ("capacity → sizes → diversity", "65 different strings")),
    "grammar": ({"grammar": {"grammar": "cfg3z"}}, ("grammar → grammar", "no grammar 'cfg3z'")),
    "shape": ({"grammar": {"grammar": "cfg3z", "rules_seed": 1}}, ("grammar → grammar", "no shape 'cfg3z'")),
    "root": ({"grammar": {"root": 99}}, ("grammar → root of grammar cfg3f", "no rules for symbol 99")),
    "terminal as root": ({"grammar": {"root": 1}}, ("grammar → root of grammar cfg3f", "no rules for symbol 1")),
    "short rows": (
        {"grammar": {"tokens_per_row": 8, "concatenated": False}},
        ("grammar → batches of grammar cfg3f-13", "rows of 8 tokens"),
    ),
    "operations": (
        {"reasoning": {"operations": 7}},
        ("reasoning → operations", "7 operations in problems of 7 parameters"),
    ),
    "sentences": (
        {"word_problems": {"instances": 4}},
        ("word_problems → operations", "15 operations in problems of 4 sentences"),
    ),
    "letters": (
        {"word_problems": {"operations": 53, "instances": 60}},
        ("word_problems → operations", "53 operations in problems of 60 sentences"),
    ),
    "operations beyond training": (
        {"word_problems": {"operations": 45, "instances": 60}},
        ("word_problems → operations, with lab → measures → beyond", "53 operations in problems of 60 sentences"),
    ),
    "file": ({"rows": {"file": "nowhere/rows.txt"}}, ("rows → file", "there is no file nowhere/rows.txt")),
    "heads": ({"grammar": {}, "model": {"heads": 5}}, ("model → heads", "heads is 5")),
    "heads of one number": ({"grammar": {}, "model": {"heads": 32}}, ("model → rotary_share", "rotary_share is 1.0")),
    "masked uniform": (
        {"grammar": {}, "model": {"masked": True, "attention": "uniform"}},
        ("model → attention", "attention is 'uniform'"),
    ),
    "masked": ({"capacity": {}, "model": {"masked": True}}, ("model → masked", "masked is True")),
    "snapshot": (
        {"reasoning": {"steps": 50}, "training": {"snapshots": [51]}},
        ("training → snapshots", "a snapshot after step 51"),
    ),
}


@pytest.mark.parametrize(("arm", "said"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_refused_with_its_place_and_a_way_out(arm, said):
    with pytest.raises(UserError) as error:
        check(**arm)
    place, what = said
    assert error.value.where == f"{ARM} → {place}"
    assert error.value.what.startswith(what)
    assert error.value.expected and error.value.todo


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_arm_of_defaults_is_possible(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("rows.txt").write_text("a b\n")
    check(**{name: {"file": "rows.txt"} if name == "rows" else {}})


def test_fewer_operations_beyond_training_make_room():
    check(word_problems={"operations": 45, "instances": 60}, measures={"word_problems": {"beyond": [5, 7]}})


@pytest.mark.parametrize("name", ["reasoning", "word_problems"])
def test_problems_of_one_operation_alone_are_refused(name):
    with pytest.raises(UserError, match="operations: found 1"):
        check(**{name: {"operations": 1}})


@pytest.mark.parametrize("name", ["grammar", "knowledge"])
def test_masked_models_are_trained_where_they_are_measured(name):
    check(**{name: {}}, model={"masked": True})


@pytest.mark.parametrize("name", [name for name, experiment in EXPERIMENTS.items() if experiment.plans])
def test_the_steps_that_are_planned_are_those_of_the_training(name):
    experiment = EXPERIMENTS[name]
    planned = importlib.import_module(experiment.plans).planned_steps(experiment.data_options())
    given = importlib.import_module(experiment.data).batches(made(experiment.data_options, {}), 0)
    assert planned == given.steps > 0


FIFTY_STEPS = {"reasoning": {"steps": 50}, "training": {"snapshots": [20]}}


class TestModelsOfSteps:
    @pytest.mark.parametrize("source", ["lab:one", "lab:one@20", "lab:one/1@50"])
    def test_a_snapshot_and_the_last_step_are_models(self, source):
        check(source=source, **FIFTY_STEPS)

    @pytest.mark.parametrize("step", [49, 51])
    def test_another_step_is_refused_before_the_training(self, step):
        with pytest.raises(ConfigError) as error:
            check(source=f"lab:one@{step}", **FIFTY_STEPS)
        assert error.value.where == "my.yaml: models → m → source"
        assert error.value.what == f"step {step} of one, which has 50 steps"

    def test_a_file_tells_its_steps_only_when_it_is_read(self, tmp_path):
        (tmp_path / "rows.txt").write_text("a b\n")
        check(source="lab:one@7", rows={"file": str(tmp_path / "rows.txt")})
