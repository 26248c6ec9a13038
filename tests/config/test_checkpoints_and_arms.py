"""Models that are checkpoints, and arms of the lab, as a config gives them."""

import copy

import pytest
from internal_physics.config.load import load_config
from internal_physics.ground.errors import ConfigError, SourceError
from internal_physics.models.sources import parse_source

ARM = {"rows": {"file": "rows.txt"}, "training": {"snapshots": [0, 20]}}
GOOD = {
    "models": {
        "small": {"source": "lab:good/1", "checkpoints": [0, 20], "dtype": "float64"},
        "pythia": {"source": "hf:org/name", "checkpoints": ["step1000", "step2000"]},
        "last": {"source": "lab:good"},
    },
    "prompt_sets": {"s": {"prompts": [{"name": f"p{i}", "text": "a b c"} for i in range(4)]}},
    "lab": {"arms": {"good": ARM}},
}


def config(**changes):
    return copy.deepcopy(GOOD) | changes


class TestCheckpoints:
    def test_each_is_a_model_with_step_and_parent(self):
        loaded = load_config(config())
        found = {name: (m["source"], m.get("step"), m.get("parent")) for name, m in loaded.models.items()}
        assert found == {
            "small-step0": ("lab:good/1@0", 0, "small"),
            "small-step20": ("lab:good/1@20", 20, "small"),
            "pythia-step1000": ("hf:org/name@step1000", 1000, "pythia"),
            "pythia-step2000": ("hf:org/name@step2000", 2000, "pythia"),
            "last": ("lab:good", None, None),
        }
        assert loaded.models["small-step20"]["dtype"] == "float64"
        assert loaded.sources["last"].revision == "last"
        assert loaded.sources["last"].name == "good/0"

    def test_a_resolved_config_replays_the_run(self):
        loaded = load_config(config())
        again = load_config(loaded.resolved())
        assert again.models == loaded.models
        assert again.arms == loaded.arms

    @pytest.mark.parametrize(
        ("model", "said"),
        [
            ({"source": "path:somewhere", "checkpoints": [1]}, "checkpoints of path:somewhere"),
            ({"source": "lab:good/0@20", "checkpoints": [1]}, "checkpoints of lab:good/0@20"),
            ({"source": "hf:org/name", "checkpoints": ["main"]}, "the revision 'main' tells no step"),
        ],
    )
    def test_what_has_no_revisions_or_steps_is_refused(self, model, said):
        with pytest.raises(ConfigError, match=said):
            load_config(config(models={"m": model}))

    def test_a_name_that_is_taken_is_refused(self):
        models = {"m": {"source": "lab:good", "checkpoints": [5]}, "m-step5": {"source": "hf:org/name"}}
        with pytest.raises(ConfigError, match="two models are named m-step5"):
            load_config(config(models=models))

    @pytest.mark.parametrize("steps", [[0, 20], [20, 500], [500]])  # the last one may be the end of the training
    def test_kept_steps_and_one_that_may_be_the_last_are_allowed(self, steps):
        load_config(config(models={"m": {"source": "lab:good", "checkpoints": steps}}))

    @pytest.mark.parametrize(("steps", "missing"), [([0, 5], 5), ([500, 600], 600), ([0, 20, 21, 22], 22)])
    def test_a_step_of_which_no_snapshot_is_kept_is_refused_before_the_training(self, steps, missing):
        with pytest.raises(ConfigError, match=f"keeps no snapshot of step {missing}") as error:
            load_config(config(models={"m": {"source": "lab:good", "checkpoints": steps}}))
        assert error.value.expected == "one of 0, 20, or the last step"


class TestArms:
    def test_defaults_are_written_in_and_seeds_are_those_of_the_lab(self):
        arm = load_config(config()).arms["good"]
        assert arm.experiment == "rows"
        assert arm.seeds == (0, 1)
        assert arm.options["data"] == {"file": "rows.txt", "exposures": 100, "rows_per_step": 8}
        assert arm.options["model"]["width"] == 32
        assert arm.options["training"]["snapshots"] == [0, 20]
        own = load_config(
            config(
                lab={"arms": {"good": ARM | {"seeds": [1, 7]}}},
                models=GOOD["models"] | {"last": {"source": "lab:good/7"}},
            )
        )
        assert own.arms["good"].seeds == (1, 7)

    @pytest.mark.parametrize(
        ("arm", "said"),
        [
            ({}, "rows"),
            (ARM | {"junk": {}}, "rows"),
            (ARM | {"rows": {"file": "rows.txt", "exposure": 3}}, "exposure"),
            (ARM | {"model": {"attention": "linear"}}, "linear"),
            (ARM | {"seeds": []}, "seeds: it is empty"),
        ],
    )
    def test_wrong_entries_are_refused(self, arm, said):
        with pytest.raises(ConfigError, match=said):
            load_config(config(lab={"arms": {"good": arm}}))

    @pytest.mark.parametrize(
        ("source", "said"), [("lab:goood/0", "there is no arm 'goood'"), ("lab:good/5", "the arm good has no seed 5")]
    )
    def test_a_model_of_a_training_that_is_not_made_is_refused(self, source, said):
        with pytest.raises(ConfigError, match=said):
            load_config(config(models={"m": {"source": source}}))


class TestSources:
    def test_text_folder_and_snapshot(self):
        source = parse_source("lab:good/3@500")
        assert source.text == "lab:good/3@500"
        assert source.training == "results/lab/arms/good/seed-3/steps"
        assert source.snapshot.startswith("good-3-500-")
        names = {
            parse_source(text).snapshot
            for text in ("lab:good/3@500", "lab:good/3", "lab:good/0@500", "lab:other/3@500")
        }
        assert len(names) == 4

    @pytest.mark.parametrize("text", ["lab:", "lab:good/x", "lab:good/1@step5", "lab:a b"])
    def test_other_forms_are_refused(self, text):
        with pytest.raises(SourceError, match="cannot read the source"):
            parse_source(text)
