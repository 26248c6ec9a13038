"""Model entries that list checkpoints."""

import pytest
from internal_physics.config.checkpoints import with_checkpoints
from internal_physics.ground.errors import ConfigError

PYTHIA = {"source": "hf:org/pythia", "dtype": "float32"}


def test_each_checkpoint_is_a_model_with_its_step_and_its_parent():
    models = {"pythia": {**PYTHIA, "checkpoints": ["step0", "step1000"]}, "other": {"source": "path:x"}}
    found = with_checkpoints(models, "config: models")
    assert list(found) == ["pythia-step0", "pythia-step1000", "other"]
    assert found["pythia-step1000"] == {
        "source": "hf:org/pythia@step1000",
        "dtype": "float32",
        "step": 1000,
        "parent": "pythia",
    }
    assert found["other"] == {"source": "path:x"}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"source": "path:x", "checkpoints": [1]}, "checkpoints of path:x"),
        ({"source": "hf:org/x@main", "checkpoints": [1]}, "leave the revision out"),
        ({**PYTHIA, "checkpoints": ["main"]}, "tells no step"),
    ],
)
def test_what_has_no_checkpoints_is_refused(entry, words):
    with pytest.raises(ConfigError, match=words):
        with_checkpoints({"m": entry}, "config: models")


def test_a_name_that_is_taken_is_refused():
    models = {"m": {**PYTHIA, "checkpoints": ["step1"]}, "m-step1": {"source": "path:x"}}
    with pytest.raises(ConfigError, match="two models are named m-step1"):
        with_checkpoints(models, "config: models")
