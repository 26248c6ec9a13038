"""A padding token without a row in the embedding: refused if the model itself needs one."""

import json

import pytest
from internal_physics.ground.errors import ModelError
from internal_physics.models.loading import load_snapshot
from internal_physics.models.options import LoadOptions
from tiny_models import save_snapshot, task_of


def snapshot_with_pad(folder, name, pad):
    save_snapshot(folder, name)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"pad_token_id": pad}))
    return folder


@pytest.mark.parametrize("name", ["llama", "bert", "roberta"])
@pytest.mark.parametrize("pad", [97, 500])
def test_a_config_that_pads_beyond_the_embedding_is_refused(tmp_path, name, pad):
    snapshot = snapshot_with_pad(tmp_path, name, pad)
    with pytest.raises(ModelError) as error:
        load_snapshot(snapshot, LoadOptions(task=task_of(name)))
    assert error.value.what == "pad_token_id in its config.json is a token that its embedding has no row for"
    assert error.value.where == str(snapshot)
    assert "set pad_token_id in config.json" in error.value.todo


@pytest.mark.parametrize("pad", [None, -1, 96])
def test_other_paddings_are_accepted(tmp_path, pad):
    assert load_snapshot(snapshot_with_pad(tmp_path, "llama", pad), LoadOptions()).pad_id == 0
