"""How texts become tokens: options of a model, those of a prompt set, which come first, and invalid ones."""

import pytest
from internal_physics.config.load import load_config
from internal_physics.ground.errors import ConfigError

PROMPTS = [{"name": name, "text": "some text"} for name in "abc"]
GAPS = [{"name": name, "text": "some [MASK]"} for name in "abc"]


def config(model=(), prompt_set=(), task="causal"):
    models = {"m": {"source": "path:/m", "task": task, **dict(model)}, "n": {"source": "path:/n", "task": task}}
    prompts = GAPS if task == "masked" else PROMPTS
    sets = {"s": {"prompts": prompts, "task": task, **dict(prompt_set)}, "t": {"prompts": prompts, "task": task}}
    return {"models": models, "prompt_sets": sets}


def options(raw):
    found = load_config(raw)
    return {(m, s): tuple(found.text_options(m, s).values()) for m in "mn" for s in "st"}


def test_by_default_the_tokenizer_decides_and_no_chat_template_is_used():
    assert set(options(config()).values()) == {("tokenizer", False)}


def test_a_models_options_hold_on_all_its_sets():
    found = options(config(model={"special_tokens": "none"}))
    assert found == {
        ("m", "s"): ("none", False),
        ("m", "t"): ("none", False),
        ("n", "s"): ("tokenizer", False),
        ("n", "t"): ("tokenizer", False),
    }


def test_a_sets_own_options_come_before_the_models():
    found = options(config(model={"special_tokens": "explicit"}, prompt_set={"chat_template": True}))
    assert found == {
        ("m", "s"): ("explicit", True),
        ("m", "t"): ("explicit", False),
        ("n", "s"): ("tokenizer", True),
        ("n", "t"): ("tokenizer", False),
    }
    found = options(config(model={"chat_template": True}, prompt_set={"chat_template": False}))
    assert found["m", "s"] == ("tokenizer", False)
    assert found["m", "t"] == ("tokenizer", True)


def test_a_contrast_is_read_as_the_model_says():
    found = load_config(config(model={"special_tokens": "none"}, prompt_set={"special_tokens": "explicit"}))
    assert found.text_options("m") == {"special_tokens": "none", "chat_template": False}


def test_a_replay_keeps_what_a_set_says_and_no_more():
    first = load_config(config(prompt_set={"special_tokens": "explicit"}))
    again = load_config(first.resolved())
    assert again.prompt_sets == first.prompt_sets
    assert [prompt_set.text for prompt_set in again.prompt_sets.values()] == [{"special_tokens": "explicit"}, {}]


@pytest.mark.parametrize(
    ("raw", "place", "what"),
    [
        (
            config(model={"chat_template": True}, task="masked"),
            "my.yaml: models → m",
            "chat_template: true for a masked model",
        ),
        (
            config(prompt_set={"chat_template": True}, task="masked"),
            "my.yaml: prompt_sets → s",
            "chat_template: true for a masked model",
        ),
        (
            config(model={"special_tokens": "none"}, prompt_set={"chat_template": True}),
            "my.yaml: prompt_sets → s",
            "chat_template: true together with special_tokens: none",
        ),
        (
            config(model={"special_tokens": "none", "chat_template": True}),
            "my.yaml: models → m",
            "chat_template: true together with special_tokens: none",
        ),
        (config(model={"special_tokens": "add"}), "my.yaml: models → m → special_tokens", "found 'add'"),
        (config(prompt_set={"chat_template": "yes"}), "my.yaml: prompt_sets → s → chat_template", "found 'yes'"),
    ],
)
def test_an_invalid_option_is_refused_with_its_place(raw, place, what):
    with pytest.raises(ConfigError) as error:
        load_config(raw, where="my.yaml")
    assert error.value.where == place
    assert error.value.what.startswith(what)
    assert error.value.todo
