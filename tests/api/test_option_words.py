"""Options as people write them: usual spellings are understood, others are refused with the known ones."""

import json
from dataclasses import replace

import internal_physics as ip
import numpy as np
import pytest
import torch
import transformers as T
from internal_physics.config.load import load_config
from internal_physics.ground.errors import ConfigError, ModelError, PromptError
from internal_physics.models.loading import wrap_model
from internal_physics.models.options import spelled_dtype, spelled_quantization
from tiny_models import build_tokenizer, save_snapshot
from tokenizers_of_kinds import byte_level

CHAT = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}:{% endif %}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_snapshot(tmp_path_factory.mktemp("words") / "llama")


@pytest.fixture(scope="module")
def model(folder):
    return ip.load(str(folder))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("fp16", "float16"),
        ("FP16", "float16"),
        ("half", "float16"),
        ("torch.float16", "float16"),
        (torch.float16, "float16"),
        (np.dtype("float16"), "float16"),
        ("bf16", "bfloat16"),
        ("torch.bfloat16", "bfloat16"),
        (torch.bfloat16, "bfloat16"),
        ("fp32", "float32"),
        (torch.float, "float32"),
        ("double", "float64"),
        ("float64", "float64"),
        ("auto", "auto"),
        ("fp8", "fp8"),
        (16, 16),
        (None, None),
    ],
)
def test_number_formats_by_their_usual_names(written, meant):
    assert spelled_dtype(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("NF4", "nf4"),
        ("8-bit", "int8"),
        ("8bit", "int8"),
        ("None", "none"),
        ("FP4", "fp4"),
        ("int4", "int4"),
        (None, None),
    ],
)
def test_quantisations_by_their_usual_names(written, meant):
    assert spelled_quantization(written) == meant


@pytest.mark.parametrize("written", ["int4", "4bit", "4-bit", "INT4"])
def test_for_four_bits_the_message_proposes_nf4(folder, written):
    with pytest.raises(ConfigError) as error:
        ip.load(str(folder), quantization=written)
    assert error.value.todo == "did you mean 'nf4'?"


@pytest.mark.parametrize("dtype", ["bf16", "torch.bfloat16", torch.bfloat16])
def test_a_model_is_loaded_in_the_intended_format_and_reports_it_by_its_own_name(folder, dtype):
    model = ip.load(str(folder), dtype=dtype)
    assert model.module.dtype == torch.bfloat16
    assert model.labels["dtype"] == "bfloat16"


def test_the_config_understands_usual_spellings_too():
    prompts = [{"name": name, "text": "some text"} for name in "abc"]
    options = {"source": "path:/m", "dtype": "fp16", "compute_dtype": "torch.bfloat16"}
    found = load_config({"models": {"m": options}, "prompt_sets": {"s": {"prompts": prompts}}})
    assert (found.models["m"]["dtype"], found.models["m"]["compute_dtype"]) == ("float16", "bfloat16")
    assert options["dtype"] == "fp16"


@pytest.mark.parametrize("models", [None, [], "m", {"m": None}, {"m": []}])
def test_a_config_without_models_is_still_refused(models):
    with pytest.raises(ConfigError):
        load_config({"models": models, "prompt_sets": {}})


@pytest.mark.parametrize(
    ("options", "place", "what", "expected"),
    [
        ({"quantization": "int4"}, "load → quantization", "found 'int4'", "int8, nf4, fp4"),
        ({"quantization": None}, "load → quantization", "found None", "none, int8, nf4, fp4"),
        ({"dtype": "fp8"}, "load → dtype", "found 'fp8'", "float32, bfloat16, float16, float64"),
        ({"dtype": torch.int8}, "load → dtype", "found torch.int8", "float32, bfloat16, float16, float64"),
        ({"attention": "flash"}, "load → attention", "found 'flash'", "eager, sdpa"),
        ({"task": "seq2seq"}, "load → task", "found 'seq2seq'", "causal, masked"),
        ({"load_in_4bit": True}, "load", "unknown key 'load_in_4bit'", "quantization"),
        ({"revision": "main"}, "load", "unknown key 'revision'", "the revision in the source"),
    ],
)
def test_an_invalid_option_is_refused_with_the_valid_ones(folder, options, place, what, expected):
    with pytest.raises(ConfigError) as error:
        ip.load(str(folder), **options)
    assert (error.value.where, error.value.what) == (place, what)
    assert expected in error.value.expected
    assert error.value.todo


def test_the_message_says_where_a_revision_belongs(folder):
    with pytest.raises(ConfigError) as error:
        ip.load("org/name", revision="v2")
    assert error.value.todo == 'write "org/name@v2"'


@pytest.mark.parametrize(
    ("options", "place", "what"),
    [
        ({"weight_gradients": "all"}, "record → weight_gradients", "found 'all'"),
        ({"batch_size": 0}, "record → batch_size", "found 0"),
        ({"special_tokens": True}, "record → special_tokens", "found True"),
        ({"chat_template": "chatml"}, "record → chat_template", "found 'chatml'"),
        ({"prompts_per_job": 3}, "record", "unknown key 'prompts_per_job'"),
        ({"topk": 3}, "record", "unknown key 'topk'"),
    ],
)
def test_options_of_recording_are_checked_like_those_of_the_config(model, options, place, what):
    with pytest.raises(ConfigError) as error:
        ip.record(model, "the cat", **options)
    assert (error.value.where, error.value.what) == (place, what)
    assert error.value.todo


def test_numpy_numbers_are_numbers(model):
    assert len(ip.record(model, "the cat", top_k=np.int64(3)).info.top_tokens) == 3


@pytest.mark.parametrize("options", [{"temperature": 0}, {"target": "last"}, {"final_norm": "no"}])
def test_options_of_the_lens_are_checked_like_those_of_the_config(model, options):
    trace = ip.record(model, "the cat")
    with pytest.raises(ConfigError) as error:
        ip.lens(trace, model, **options)
    assert error.value.where == f"lens → {next(iter(options))}"


def test_an_unknown_option_of_steering_is_refused(model):
    with pytest.raises(ConfigError) as error:
        ip.steer(model, vector=[1.0], layer=[1])
    assert (error.value.what, error.value.todo) == ("unknown key 'layer'", "did you mean 'layers'?")


@pytest.mark.parametrize("prompts", [5, ["the cat", None]])
def test_a_value_that_is_not_text_is_refused(model, prompts):
    with pytest.raises(PromptError, match=r"(5|None) is not text"):
        ip.record(model, prompts)


def test_an_error_names_what_the_user_gave(tmp_path):
    """Not a temporary folder, which no longer exists when the message is read."""
    given = save_snapshot(tmp_path / "mine")
    config = json.loads((given / "config.json").read_text())
    (given / "config.json").write_text(json.dumps(config | {"pad_token_id": 500}))
    with pytest.raises(ModelError) as error:
        ip.load(str(given))
    assert error.value.where == str(given)


def test_a_chat_is_recorded_as_its_template_writes_it(tmp_path):
    given = save_snapshot(tmp_path / "chat")
    tokenizer = build_tokenizer()
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(given)
    model = ip.load(str(given))
    trace = ip.record(model, "the cat", chat_template=True)
    assert "".join(trace.info.tokens) == "[UNK]user[UNK]the cat:"
    assert trace.info.read_position == trace.n_tokens - 1
    assert trace.info.text == "the cat"
    assert trace.info.labels["chat_template"] is True
    with pytest.raises(PromptError, match="no chat template"):
        ip.record(ip.load(str(save_snapshot(tmp_path / "plain"))), "the cat", chat_template=True)


def test_tokens_are_given_as_readable_text_too(tmp_path):
    """A byte-level tokenizer writes a space as Ġ, and é as Ã and ©."""
    tokenizer = byte_level()
    sizes = {"vocab_size": len(tokenizer), "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 16}
    model = wrap_model(T.GPT2LMHeadModel(T.GPT2Config(**sizes)), tokenizer)
    trace = ip.record(model, "a é", special_tokens="none")
    assert trace.tokens == ("a", "Ġ", "Ã", "©")
    assert trace.token_texts == ("a", " ", "\ufffd", "\ufffd")
    trace.save(tmp_path / "p.parquet")
    assert ip.read_trace(tmp_path / "p.parquet").token_texts == trace.token_texts
    old = ip.Trace(replace(trace.info, token_texts=()), trace.tensors)
    assert old.token_texts == trace.tokens
