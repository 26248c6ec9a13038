"""Nothing in a snapshot runs unless the config names it."""

import json

import pytest
from internal_physics.config.load import load_config
from internal_physics.ground.errors import ConfigError, UserError
from internal_physics.models.loading import LoadOptions, load_snapshot
from tiny_models import save_snapshot

CPU = LoadOptions(device="cpu")


@pytest.fixture
def booby_trapped(tmp_path):
    """A snapshot whose model and tokenizer name code of their own, and the file that this code would write."""
    folder, marker = save_snapshot(tmp_path / "snapshot"), tmp_path / "code-ran"
    body = f"open({str(marker)!r}, 'w').close()\nclass Own:\n    pass\n"
    (folder / "own.py").write_text(body)
    for name, key in (("config.json", "AutoModelForCausalLM"), ("tokenizer_config.json", "AutoTokenizer")):
        settings = json.loads((folder / name).read_text())
        own = ["own.Own", None] if key == "AutoTokenizer" else "own.Own"
        (folder / name).write_text(json.dumps(settings | {"auto_map": {key: own, "AutoConfig": "own.Own"}}))
    return folder, marker


def test_a_known_architecture_is_loaded_by_transformers_own_class_and_code_beside_it_stays_unread(booby_trapped):
    folder, marker = booby_trapped
    model = load_snapshot(folder, CPU)
    assert type(model.module).__module__.startswith("transformers.")
    assert not marker.exists()


def test_an_architecture_that_only_its_own_code_knows_is_refused(booby_trapped):
    folder, marker = booby_trapped
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"model_type": "of-its-own", "architectures": ["Own"]}))
    with pytest.raises(UserError) as refused:
        load_snapshot(folder, CPU)
    assert refused.value.todo
    assert not marker.exists()


@pytest.mark.parametrize("section", ["models", "prompt_sets", "conditions"])
@pytest.mark.parametrize("name", ["../elsewhere", "/tmp/x", "a/b", "..", "a\\b", "~", "$HOME", "a\nb"])
def test_no_name_leads_out_of_results(section, name):
    texts = [{"name": letter, "text": "some text"} for letter in "abc"]
    raw = {
        "models": {"m": {"source": "path:x"}},
        "prompt_sets": {"s": {"prompts": texts}},
        "conditions": {"c": {"vector": [1.0]}},
    }
    raw[section] = {name: next(iter(raw[section].values()))}
    with pytest.raises(ConfigError):
        load_config(raw)
