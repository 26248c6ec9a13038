"""Texts as they become tokens, or are refused, in tests of both."""

import pytest
from internal_physics.config.options.text import TextOptions
from internal_physics.config.prompts import Prompt
from internal_physics.ground.errors import PromptError
from internal_physics.models.loading import wrap_model
from internal_physics.recording.encoding import encode
from internal_physics.recording.selfcheck import check_model
from tiny_models import build_model, build_tokenizer, task_of

BOTH = "set special_tokens: explicit, with which a text has those that it writes and no others"
EXPLICIT, NONE = TextOptions("explicit"), TextOptions("none")


def tokens(text, tokenizer, task="causal", options=None):
    return encode(Prompt("p", text), tokenizer, task, None, options).tokens


def refused(text, tokenizer, task="causal", options=None) -> PromptError:
    with pytest.raises(PromptError) as error:
        encode(Prompt("p", text), tokenizer, task, None, options)
    assert error.value.where == f"prompt 'p' ({text!r})"
    assert error.value.todo
    return error.value


def checked(name="llama", tokenizer=None, module=None):
    task = task_of(name)
    model = check_model(wrap_model(module or build_model(name), tokenizer or build_tokenizer(task == "masked"), task))
    return model.model
