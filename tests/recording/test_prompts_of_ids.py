"""Prompts of token ids: for models without a tokenizer, and for exact control of what runs."""

import internal_physics as ip
import pytest
from internal_physics.config.prompts import parse_prompts, read_prompts
from internal_physics.families.information.information import token_texts, watched_ids
from internal_physics.ground.errors import ConfigError, ModelError, PromptError
from tiny_models import VOCABULARY, build_model, save_snapshot

TEXT = "the cat"
IDS = [VOCABULARY.index(c) for c in TEXT]
AS_TEXT = " ".join(map(str, IDS))


@pytest.fixture(params=["llama", "gpt2", "gpt_neox"])
def without_tokenizer(tmp_path, request):
    build_model(request.param).save_pretrained(tmp_path / "bare")
    return request.param, tmp_path / "bare"


def test_a_model_without_tokenizer_runs_them_as_one_with_it_runs_the_text(without_tokenizer, tmp_path):
    name, folder = without_tokenizer
    bare = ip.load(str(folder))
    assert bare.tokenizer is None
    found = ip.record(bare, {"ids": IDS})
    whole = ip.load(str(save_snapshot(tmp_path / "whole", name)))
    for expected in (ip.record(whole, TEXT), ip.record(whole, {"ids": IDS})):
        assert found.loss_nats == expected.loss_nats
        assert found.info.token_ids == expected.info.token_ids
        assert list(expected.info.tokens) == list(TEXT)
    assert list(found.info.tokens) == AS_TEXT.split()
    assert found.info.text == AS_TEXT


def test_a_text_for_a_model_without_tokenizer_is_refused_with_the_way_out(without_tokenizer):
    with pytest.raises(ModelError, match="the model has no tokenizer") as error:
        ip.record(ip.load(str(without_tokenizer[1])), TEXT)
    assert "`ids: [7, 9, 11]`" in error.value.todo


@pytest.mark.parametrize("ids", ["7 9 11", "7, 9,11", [7, 9, 11], (7, 9, 11)])
def test_ids_are_written_in_several_ways(ids):
    (prompt,) = parse_prompts([{"name": "a", "ids": ids}], "set")
    assert (prompt.ids, prompt.text) == ("7 9 11", "7 9 11")
    assert parse_prompts([prompt.to_json()], "again") == [prompt]


def test_ids_in_a_csv(tmp_path):
    (tmp_path / "p.csv").write_text("name,text,ids\na,,7 9 11\nb,some text,\n")
    first, second = read_prompts(tmp_path / "p.csv")
    assert (first.text, first.ids, second.text, second.ids) == ("7 9 11", "7 9 11", "some text", "")


@pytest.mark.parametrize("ids", ["7 -1", "7.0", "seven", [7, -1], [True, 2], 7.5])
def test_what_is_no_id_is_refused(ids):
    with pytest.raises(PromptError, match="ids is "):
        parse_prompts([{"name": "a", "ids": ids}], "set")


def test_a_text_beside_ids_is_refused():
    with pytest.raises(PromptError, match="a text and token ids"):
        parse_prompts([{"name": "a", "ids": "7 9", "text": "the"}], "set")


@pytest.mark.parametrize("with_tokenizer", [True, False])
@pytest.mark.parametrize(
    ("prompt", "what"),
    [
        ({"ids": [7, 97]}, "has id 97, and the model's embedding table has 97 rows"),
        ({"ids": [7]}, "1 token: there is no next token to predict"),
        ({"ids": [7, 9], "answer": "x"}, "an answer to token ids"),
    ],
)
def test_ids_that_cannot_run_are_refused(tmp_path, prompt, what, with_tokenizer):
    folder = save_snapshot(tmp_path / "m")
    if not with_tokenizer:
        for file in folder.glob("*token*"):
            file.unlink()
    with pytest.raises(PromptError) as error:
        ip.record(ip.load(str(folder)), prompt)
    assert what in error.value.what


def test_a_masked_model_needs_its_tokenizer_to_know_the_mask(tmp_path):
    folder = save_snapshot(tmp_path / "m", "bert")
    ids = [2, 7, 4, 9, 3]
    model = ip.load(str(folder), task="masked")
    text = f"{VOCABULARY[7]}[MASK]{VOCABULARY[9]}"
    assert ip.record(model, {"ids": ids}).loss_nats == ip.record(model, text).loss_nats
    model.tokenizer = None
    with pytest.raises(PromptError, match="the id of its mask is not known"):
        ip.record(model, {"ids": ids})


def test_the_lens_calls_tokens_by_their_numbers(without_tokenizer):
    folder = without_tokenizer[1]
    assert token_texts(folder)(7) == "token 7"
    with pytest.raises(ConfigError, match="the model has no tokenizer"):
        watched_ids([" a"], folder)
