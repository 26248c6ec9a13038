"""Command `new`: its config is valid and names everything; tests/docs/test_documented_configs.py runs it."""

import json
import re
import shlex

import pytest
import yaml
from internal_physics.cli import commands
from internal_physics.cli import run as verb
from internal_physics.config.load import load_config
from internal_physics.ground.home import home
from internal_physics.ground.strict_yaml import load_yaml


def test_the_config_is_valid_and_so_is_each_of_its_comments(tmp_path, monkeypatch, capsys):
    assert commands.main(["new", str(tmp_path / "lab"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["written"] == [str(tmp_path / f"lab/{name}") for name in verb_files()]
    monkeypatch.chdir(tmp_path / "lab")
    config = load_config(load_yaml("config.yaml"), "config.yaml")
    assert [prompt.answer for prompt in config.prompt_sets["mine"].prompts][:2] == [" Paris", " Rome"]
    # With all of its commented options the config is valid too.
    lines = (tmp_path / "lab/config.yaml").read_text(encoding="utf-8").splitlines()
    opened = [line.replace("#", "", 1) if is_option(line) else line for line in lines]
    whole = load_config(yaml.safe_load("\n".join(opened)), "config.yaml")
    assert set(whole.models) == {"small", "small-nf4"}
    assert set(whole.prompt_sets) == {"mine", "weather"}
    assert "happy" in whole.raw["conditions"]


def test_the_command_that_follows_can_be_copied_and_any_source_is_valid_yaml(tmp_path, capsys):
    folder = tmp_path / "my first lab"
    source = 'path:models/a "large" one\\new'
    assert commands.main(["new", str(folder), "--model", source, "--json"]) == 0
    assert shlex.split(json.loads(capsys.readouterr().out)["next"]) == ["internal-physics", "run", str(folder)]
    assert load_yaml(folder / "config.yaml")["models"]["small"]["source"] == source


def verb_files():
    from internal_physics.cli.new import FILES

    return FILES


def is_option(line):
    """Prose has one blank after its #, a commented option none, or its indentation."""
    return re.match(r"\s*#(\S|  )", line) is not None


def test_a_model_can_be_given(tmp_path):
    assert commands.main(["new", str(tmp_path), "--model", "path:/data/model"]) == 0
    config = load_yaml(tmp_path / "config.yaml")
    assert config["models"]["small"] == {"source": "path:/data/model"}


@pytest.mark.parametrize("model", ["/data/model", "pypi:x", "s3:x"])
def test_a_source_of_another_form_is_refused(tmp_path, capsys, model):
    assert commands.main(["new", str(tmp_path / "a"), "--model", model]) == commands.USER_ERROR
    assert "--model" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("name", verb_files())
def test_nothing_is_overwritten(tmp_path, capsys, name):
    (tmp_path / name).write_text("mine")
    assert commands.main(["new", str(tmp_path)]) == commands.USER_ERROR
    assert "this file exists" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_template_is_the_default_model_once():
    text = (home() / "resources/new/config.yaml").read_text(encoding="utf-8")
    from internal_physics.cli.new import _SOURCE

    assert text.count(_SOURCE) == 1


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([], (".", "config.yaml")),
        (["my.yaml"], (".", "my.yaml")),
        (["lab"], ("lab", "config.yaml")),
        (["lab", "my.yml"], ("lab", "my.yml")),
    ],
)
def test_run_takes_a_folder_and_a_config(places, expected):
    assert verb.folder_and_config(places) == expected
