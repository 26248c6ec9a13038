"""Folders with a SentencePiece model and no tokenizer.json: texts are cut as SentencePiece itself cuts them."""

import json

import internal_physics as ip
import pytest
import transformers as T
from internal_physics.config.prompts import Prompt
from internal_physics.ground.errors import ModelError
from internal_physics.models.tokenizer import read_tokenizer
from internal_physics.recording.encoding import encode
from sentencepiece_models import ALBERT, GEMMA, LLAMA, SIZES, UNIGRAM, processor, save, trained

IDS = {"bos_token_id": 1, "eos_token_id": 2}
TEXT = "the old cat sat near seven hills"
TEXTS = [TEXT, "good dogs", "the  cat", "Zebra ü 9, 10.", "birds sang."]
CAUSAL = {
    "llama": (T.LlamaConfig(**SIZES, **IDS), LLAMA, "tokenizer.model", {"tokenizer_class": "LlamaTokenizer"}),
    "llama without a class": (T.LlamaConfig(**SIZES, **IDS), LLAMA, "tokenizer.model", {}),
    "mistral": (T.MistralConfig(**SIZES, **IDS), LLAMA, "tokenizer.model", {"tokenizer_class": "LlamaTokenizer"}),
    "gemma": (T.GemmaConfig(**SIZES, head_dim=8), GEMMA, "tokenizer.model", {"tokenizer_class": "GemmaTokenizer"}),
    "unigram": (T.LlamaConfig(**SIZES, **IDS), UNIGRAM, "tokenizer.model", {}),
}
MASKED = {
    "albert": (
        T.AlbertConfig(**SIZES, embedding_size=16, pad_token_id=0),
        ALBERT,
        "spiece.model",
        {"tokenizer_class": "AlbertTokenizer"},
    ),
    "xlm-roberta": (
        T.XLMRobertaConfig(**SIZES),
        UNIGRAM,
        "sentencepiece.bpe.model",
        {"tokenizer_class": "XLMRobertaTokenizer"},
    ),
}


def folder_with(path, settings, file="tokenizer.model", model_type="llama", **tokenizer_config):
    """A folder for the tokenizer alone."""
    (path / "config.json").write_text(json.dumps({"model_type": model_type}))
    (path / "tokenizer_config.json").write_text(json.dumps(tokenizer_config))
    (path / file).write_bytes(trained(settings))
    return path


def own_ids(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("name", CAUSAL)
def test_a_causal_model_runs_the_ids_of_sentencepiece(tmp_path, name):
    config, settings, file, tokenizer_config = CAUSAL[name]
    model = ip.load(str(save(tmp_path / "m", config, settings, file, **tokenizer_config)))
    trace = ip.record(model, TEXT)
    assert list(trace.info.token_ids) == processor(settings).encode(TEXT)
    for text in TEXTS:
        assert own_ids(model.tokenizer, text) == processor(settings).encode(text), text
        assert model.tokenizer.decode(own_ids(model.tokenizer, TEXT)) == TEXT


@pytest.mark.parametrize("name", MASKED)
def test_a_masked_model_runs_the_pieces_of_sentencepiece_between_its_special_tokens(tmp_path, name):
    """XLM-RoBERTa numbers its pieces anew."""
    config, settings, file, tokenizer_config = MASKED[name]
    model = ip.load(str(save(tmp_path / "m", config, settings, file, **tokenizer_config)), task="masked")
    trace = ip.record(model, "the old [MASK] sat")
    first, *inner, last = trace.info.tokens
    assert (first, last) == (("[CLS]", "[SEP]") if name == "albert" else ("<s>", "</s>"))
    mask = inner.index(model.tokenizer.mask_token)
    assert inner[:mask] == processor(settings).encode("the old", out_type=str)
    assert [token for token in inner[mask + 1 :] if token != "▁"] == processor(settings).encode("sat", out_type=str)
    for text in TEXTS[:3]:
        pieces = processor(settings).encode(text, out_type=str)
        assert model.tokenizer.convert_ids_to_tokens(own_ids(model.tokenizer, text)) == pieces


def test_a_bos_that_the_config_asks_for_stands_before_the_pieces(tmp_path):
    folder = folder_with(tmp_path, LLAMA, tokenizer_class="LlamaTokenizer", add_bos_token=True)
    encoded = encode(Prompt("p", TEXT), read_tokenizer(folder), "causal", None)
    assert list(encoded.ids) == [1, *processor(LLAMA).encode(TEXT)]
    assert encoded.special == (0,)


@pytest.mark.parametrize("settings", [LLAMA, UNIGRAM])
def test_spaces_around_a_text_are_those_of_sentencepiece_where_no_class_is_named(tmp_path, settings):
    tokenizer = read_tokenizer(folder_with(tmp_path, settings))
    for text in (" the cat", "the cat ", "  the   cat"):
        assert own_ids(tokenizer, text) == processor(settings).encode(text), text


def test_each_part_between_special_tokens_is_cut_as_a_text_of_its_own(tmp_path):
    tokenizer = read_tokenizer(folder_with(tmp_path, LLAMA))
    assert own_ids(tokenizer, "the cat</s>good dogs") == [
        *processor(LLAMA).encode("the cat"),
        2,
        *processor(LLAMA).encode("good dogs"),
    ]


@pytest.mark.parametrize(
    ("settings", "file", "named"),
    [
        (UNIGRAM, "sentencepiece.bpe.model", "XGLMTokenizer"),  # reads only tokenizer.json: every word is unknown
        (GEMMA, "tokenizer.model", "LlamaTokenizer"),  # puts a space before the text, and this model has none there
    ],
)
def test_a_class_that_cuts_texts_in_another_way_is_refused_with_both_results(tmp_path, settings, file, named):
    folder = folder_with(tmp_path, settings, file, tokenizer_class=named)
    with pytest.raises(ModelError) as error:
        read_tokenizer(folder)
    assert error.value.what.startswith(f"transformers reads it as a {named}, which cuts '")
    assert " and SentencePiece cuts it into " in error.value.what
    assert error.value.where == str(folder / file)
    assert "tokenizer_class" in error.value.todo


def test_beside_a_tokenizer_json_the_sentencepiece_model_is_not_asked(tmp_path):
    folder = folder_with(tmp_path, LLAMA)
    read_tokenizer(folder).save_pretrained(folder)
    (folder / "tokenizer.model").write_bytes(trained(UNIGRAM))
    assert own_ids(read_tokenizer(folder), TEXT) == processor(LLAMA).encode(TEXT)


def test_a_damaged_model_is_named_as_such(tmp_path):
    """transformers takes it for a file of tiktoken, and says that this package is missing."""
    folder = save(tmp_path / "m", T.LlamaConfig(**SIZES, **IDS), LLAMA, "tokenizer.model")
    (folder / "tokenizer.model").write_bytes(trained(LLAMA)[:3000])
    with pytest.raises(ModelError) as error:
        ip.load(str(folder))
    assert error.value.what == "its tokenizer cannot be read: its SentencePiece model is damaged"
