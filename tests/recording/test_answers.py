"""The answer of a causal prompt becomes the token with which the text would continue."""

import pytest
from internal_physics.config.options.text import TextOptions
from internal_physics.config.prompts import Prompt
from internal_physics.ground.errors import PromptError
from internal_physics.recording.answers import space_between, tokens_after
from internal_physics.recording.encoding import encode
from tiny_models import build_tokenizer
from transformers import AutoTokenizer


@pytest.mark.parametrize(
    ("text", "answer", "space"),
    [
        ("The capital of Italy is", "Rome", " "),
        ("six, eight,", "ten", " "),
        ("The capital (of Italy) is the city called", "Rome", " "),
        ('He called it "home"', "sweet", " "),
        ("the year", "1945", " "),
        ("2 + 2 =", "4", " "),
        ("2+2=", "4", ""),
        ("The capital is ", "Rome", ""),
        ("The capital is\n", "Rome", ""),
        ("The capital is", " Rome", ""),
        ("seven", ", six", ""),
        ("The capital (", "Rome", ""),
        ('He said "', "Hello", ""),
        ("twenty-", "one", ""),
        ("it costs $", "5", ""),
        ("either/", "or", ""),
        ("意大利的首都是", "罗马", ""),
        ("イタリアの首都は", "ローマ", ""),
        ("Столица Италии", "Рим", " "),
        ("", "Rome", ""),
        ("Rome", "", ""),
    ],
)
def test_a_space_is_added_between_words(text, answer, space):
    assert space_between(text, answer) == space


def test_the_tokens_are_what_the_tokenizer_adds():
    ids_of = {"ab": [1, 2], "ab c": [1, 2, 3, 4], " c": [9]}.__getitem__
    assert tokens_after("ab", "c", ids_of) == (3, 4)


def test_an_answer_that_merges_with_the_text_is_read_alone():
    ids_of = {"ab": [1, 2], "ab c": [1, 7], " c": [9]}.__getitem__
    assert tokens_after("ab", "c", ids_of) == (9,)


@pytest.fixture(scope="module")
def smol_tokenizer(smollm2):
    return AutoTokenizer.from_pretrained(str(smollm2))


@pytest.mark.parametrize(
    ("text", "answer", "token", "n_tokens"),
    [
        ("The capital of Italy is", "Rome", " Rome", 1),
        ("The capital of Italy is ", "Rome", "Rome", 1),
        ("The capital of Italy is\n", "Rome", "Rome", 1),
        ("The capital of Italy is", "Rome, a city", " Rome", 4),
        ("The capital of Iceland is", "Reykjavik", " Rey", 4),
        ("1+1=", "2", "2", 1),
    ],
)
def test_smollm2s_tokens_of_an_answer(smol_tokenizer, text, answer, token, n_tokens):
    found = encode(Prompt("p", text, answer=answer), smol_tokenizer, "causal", None)
    assert smol_tokenizer.decode([found.answer]) == token
    assert found.n_answer_tokens == n_tokens
    bare = encode(Prompt("p", text), smol_tokenizer, "causal", None)
    assert (bare.ids, bare.answer, bare.n_answer_tokens) == (found.ids, None, 0)


def test_in_a_chat_the_answer_follows_the_template(smol_tokenizer):
    found = encode(
        Prompt("p", "What is the capital of Italy?", answer="Rome"),
        smol_tokenizer,
        "causal",
        None,
        TextOptions(chat_template=True),
    )
    assert smol_tokenizer.decode([found.answer]) == "Rome"


@pytest.mark.parametrize("answer", ["1945", "five"])
def test_an_answer_that_begins_with_a_space_of_its_own_is_not_followed(answer, caplog):
    """A tokenizer of characters: the first token would be the space, which does not identify the answer."""
    found = encode(Prompt("p", "one two", answer=answer), build_tokenizer(), "causal", None)
    assert (found.answer, found.n_answer_tokens) == (None, 0)
    assert f"no token of the model begins the answer {answer!r}" in caplog.text


def test_an_answer_of_unknown_words_is_not_followed():
    found = encode(Prompt("p", "one ", answer="ß"), build_tokenizer(), "causal", None)
    assert (found.answer, found.n_answer_tokens) == (None, 0)


def test_a_blank_answer_is_refused():
    with pytest.raises(PromptError) as caught:
        encode(Prompt("p", "one two", answer="  "), build_tokenizer(), "causal", None)
    assert caught.value.what == "the answer '  ' is blank"
