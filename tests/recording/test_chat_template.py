"""Texts in their model's chat template."""

import pytest
from internal_physics.config.options.text import TextOptions
from internal_physics.config.prompts import Prompt
from internal_physics.recording.encoding import encode
from tiny_models import build_tokenizer
from token_texts import refused, tokens
from tokenizers_of_kinds import around, chat

CHAT = TextOptions(chat_template=True)
ENDED = "{% for m in messages %}{{ m['content'] }}<|im_end|>{% endfor %}"


def test_a_text_in_its_template_equals_that_of_transformers():
    tokenizer = chat()
    found = encode(Prompt("p", "the cat"), tokenizer, "causal", None, CHAT)
    message = [{"role": "user", "content": "the cat"}]
    assert list(found.ids) == tokenizer.apply_chat_template(message, add_generation_prompt=True)["input_ids"]
    assert found.tokens[0] == "<|im_start|>"
    assert "".join(found.tokens).endswith("the cat<|im_end|>\n<|im_start|>assistant\n")
    assert found.read_position == len(found.ids) - 1
    assert [found.tokens[t] for t in found.special if found.tokens[t] != "\n"] == [
        "<|im_start|>",
        "<|im_end|>",
        "<|im_start|>",
    ]


def test_a_beginning_that_the_template_writes_is_not_doubled():
    """The tokenizer adds [CLS] by itself, and so does the template: it runs once."""
    tokenizer = around("[CLS] $A", bos_token="[CLS]")
    tokenizer.chat_template = "{{ bos_token }}{% for m in messages %}{{ m['content'] }}{% endfor %}:"
    found = encode(Prompt("p", "the cat"), tokenizer, "causal", None, CHAT)
    assert found.tokens == ("[CLS]", *"the cat:")
    assert found.special == (0,)


def test_a_model_without_a_template_is_refused():
    error = refused("the cat", build_tokenizer(), options=CHAT)
    assert error.what == "chat_template: true, but the model's tokenizer has no chat template to choose"
    assert error.todo == "set chat_template: false for this model or prompt set"


def test_a_masked_model_takes_no_chat_template():
    error = refused("a[MASK]", chat(), "masked", CHAT)
    assert error.what == "chat_template: true for a masked model"


@pytest.mark.parametrize("text", ["<|im_start|>user\nthe cat<|im_end|>\n", "the cat<|im_end|>"])
def test_a_text_that_is_in_a_template_already_is_refused(text):
    error = refused(text, chat(), options=CHAT)
    assert error.what.endswith("and so does the chat template")
    assert "chat_template: false and special_tokens: explicit" in error.todo


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("", "does not hold the text as it is: it makes ''"),
        ("{{ 'hello' }}", "does not hold the text as it is: it makes 'hello'"),
        ("{% for m in messages %}{{ m['content'] | upper }}{% endfor %}", "it makes 'THE CAT'"),
        ("{{ raise_exception('no user here') }}", "fails: TemplateError: no user here"),
        ("{% for m in messages %}{{ m['nothing'].more }}{% endfor %}", "fails: UndefinedError"),
        ("{% for m in messages %}", "fails: TemplateSyntaxError"),
        (ENDED, "ends the text with '<|im_end|>' and begins no answer"),
        (ENDED + "\n", "ends the text with '<|im_end|>' and begins no answer"),
        (
            ENDED + "{% if add_generation_prompt %}:<|im_end|>{% endif %}",
            "ends the text with '<|im_end|>' and begins no answer",
        ),
    ],
)
def test_an_unsuitable_template_is_refused(template, said):
    error = refused("the cat", chat(template), options=CHAT)
    assert said in error.what
    assert "set chat_template: false" in error.todo


def test_a_template_without_a_word_for_the_answer_may_end_where_it_begins():
    """As Llama 2's [INST] … [/INST], after which the answer follows directly."""
    found = tokens("the cat", chat("{% for m in messages %}[{{ m['content'] }}]{% endfor %}"), options=CHAT)
    assert len(found) == len("[the cat]")


def test_an_empty_text_is_refused_before_the_template_hides_it():
    assert refused("", chat(), options=CHAT).what == "the text '' has no tokens"


@pytest.mark.parametrize("form", ["'%d %b %Y'", '"%Y-%m-%d"'])
def test_a_template_that_writes_the_date_writes_the_same_one_every_day(form):
    template = (
        "{% if strftime_now is defined %}{% set today = strftime_now(" + form + ") %}{% endif %}"
        "{% macro line() %}{{ strftime_now(" + form + ") }}{% endmacro %}"
        "{{ today }} {{ line() }}{% for m in messages %} {{ m['content'] }}{% endfor %}"
    )
    found = "".join(tokens("the cat", chat(template), options=CHAT))
    day = "26 Jul 2024" if "%b" in form else "2024-07-26"
    assert found == f"{day} {day} the cat"
