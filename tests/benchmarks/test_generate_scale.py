"""The generator of large configs: valid, all prompts different, no set too small for ISF."""

import pytest
import yaml
from internal_physics.config.load import load_config

from benchmarks.generate_scale import ARCHITECTURES, texts, write_scale


def test_a_generated_config_is_valid_and_has_the_models_and_prompts_asked_for(tmp_path, monkeypatch):
    path = write_scale(tmp_path / "run", n_models=3, n_prompts=7, set_size=4, weights=False)
    monkeypatch.chdir(path.parent)
    config = load_config(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert list(config.models) == ["model_000", "model_001", "model_002"]
    assert [len(prompt_set.prompts) for prompt_set in config.prompt_sets.values()] == [4, 3]
    found = [prompt.text for prompt_set in config.prompt_sets.values() for prompt in prompt_set.prompts]
    assert found == texts(7)


def test_a_hundred_thousand_prompts_are_different():
    assert len(set(texts(100_000))) == 100_000


def test_a_range_of_prompts_equals_that_part_of_the_whole_list():
    assert texts(3, first=5) == texts(8)[5:]


def test_a_last_set_too_small_for_isf_is_refused(tmp_path):
    with pytest.raises(ValueError, match="leave a set of 2"):
        write_scale(tmp_path, n_models=1, n_prompts=6, set_size=4, weights=False)


def test_its_models_are_of_several_architectures_and_have_weights_of_their_own(tmp_path):
    write_scale(tmp_path, n_models=3, n_prompts=3)
    folders = sorted((tmp_path / "models").iterdir())
    kinds = [yaml.safe_load((folder / "config.json").read_text(encoding="utf-8"))["model_type"] for folder in folders]
    assert kinds == [*ARCHITECTURES, ARCHITECTURES[0]]
    assert len({(folder / "model.safetensors").read_bytes() for folder in folders}) == 3
