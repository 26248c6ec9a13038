"""One record job: the options of texts reach the tokens, the labels and the messages; a sink reaches the table."""

import numpy as np
import pytest
import torch
import transformers as T
from internal_physics.families.information.information import information
from internal_physics.ground.errors import ConfigError, ModelError, PromptError
from internal_physics.models.fetch import fetch
from internal_physics.models.sources import parse_source
from internal_physics.recording.derive_direction import contrast_set
from internal_physics.recording.record import record_set
from internal_physics.records.store import read_trace
from safetensors.numpy import load_file
from tiny_models import save_snapshot
from tokenizers_of_kinds import around, chat

LABELS = {"model": "m", "condition": "baseline", "prompt_set": "words"}
RECORD = {"weight_gradients": "none"}


def snapshot(folder, tokenizer=None, module=None):
    given = save_snapshot(folder / "given")
    if module is not None:
        module.save_pretrained(given)
    if tokenizer is not None:
        tokenizer.save_pretrained(given)
    fetch(parse_source(f"path:{given}"), folder / "snapshot")
    return folder / "snapshot"


def recorded(folder, made, texts, **text):
    prompts = [{"name": f"p{i}", "text": words} for i, words in enumerate(texts)]
    outputs = [folder / f"{prompt['name']}.parquet" for prompt in prompts]
    jobs = {"load": {}, "record": RECORD, "labels": LABELS, "threads": 1, "text": text}
    record_set(snapshot=made, outputs=outputs, listing=folder / "listing.sha256", prompts=prompts, **jobs)
    return [read_trace(path) for path in outputs]


def test_special_tokens_are_those_asked_for_and_the_record_says_which(tmp_path):
    made = snapshot(tmp_path, around("[CLS] $A [SEP]"))
    expected = {"tokenizer": ("[CLS]", "a", "b"), "none": ("a", "b"), "explicit": ("a", "b")}
    for asked, tokens in expected.items():
        (trace,) = recorded(tmp_path, made, ["ab"], special_tokens=asked)
        assert trace.info.tokens == tokens
        assert trace.info.special_positions == ((0,) if asked == "tokenizer" else ())
        assert (trace.info.labels["special_tokens"], trace.info.labels["chat_template"]) == (asked, False)


def test_a_chat_is_read_where_its_answer_begins(tmp_path):
    (trace,) = recorded(tmp_path, snapshot(tmp_path, chat()), ["the cat"], chat_template=True)
    assert trace.info.tokens[0] == "<|im_start|>"
    assert trace.info.tokens[-10:] == (*"assistant", "\n")
    assert trace.info.read_position == trace.n_tokens - 1


def test_a_refusal_names_set_prompt_and_text_before_anything_is_recorded(tmp_path):
    made = snapshot(tmp_path, around("[CLS] $A"))
    with pytest.raises(PromptError) as error:
        recorded(tmp_path, made, ["fine", "[CLS]doubled"])
    assert error.value.where == "prompt_sets → words → prompt 'p1' ('[CLS]doubled')"
    assert not list(tmp_path.glob("*.parquet"))


def directions(folder, made, contrast, **text):
    jobs = {"load": {}, "labels": {"model": "m", "condition": "happy"}, "threads": 1, "batch_size": 4, "text": text}
    contrast_set(snapshot=made, output=folder / "v.safetensors", contrast=contrast, **jobs)
    return load_file(folder / "v.safetensors")


def test_a_contrast_follows_the_text_options_of_the_model(tmp_path):
    made = snapshot(tmp_path, around("[CLS] $A [SEP]"))
    contrast = {"positive": ["glad", "merry"], "negative": ["sad", "cross"], "method": "mean_difference"}
    by_default, written = (directions(tmp_path, made, contrast, special_tokens=s) for s in ("tokenizer", "explicit"))
    assert not np.allclose(by_default["residual.2"], written["residual.2"])
    framed = {side: [f"[CLS]{word}" for word in contrast[side]] for side in ("positive", "negative")}
    again = directions(tmp_path, made, contrast | framed, special_tokens="explicit")
    np.testing.assert_allclose(again["residual.2"], by_default["residual.2"], atol=1e-6)


def test_a_text_of_a_contrast_that_cannot_be_run_is_named(tmp_path):
    made = snapshot(tmp_path, around("[CLS] $A"))
    contrast = {"positive": ["[CLS]glad"], "negative": ["sad"], "method": "mean_difference"}
    with pytest.raises(ConfigError) as error:
        directions(tmp_path, made, contrast)
    assert error.value.where == "conditions → happy → positive → 0 ('[CLS]glad')"
    assert error.value.what.startswith("'[CLS]' is doubled")


def test_an_overflow_is_reported_before_a_set_is_recorded(tmp_path):
    module = T.AutoModelForCausalLM.from_pretrained(save_snapshot(tmp_path / "small"))
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if "up_proj" in name or "down_proj" in name:
                parameter *= 3e3
    made = snapshot(tmp_path, module=module)
    jobs = {"record": RECORD, "labels": LABELS, "threads": 1, "load": {"dtype": "float16"}}
    prompts, outputs = [{"name": "p", "text": "the cat"}], [tmp_path / "p.parquet"]
    with pytest.raises(ModelError, match="not finite in block 0 in float16: use bfloat16 or float32"):
        record_set(snapshot=made, outputs=outputs, listing=tmp_path / "l.sha256", prompts=prompts, **jobs)


def test_the_share_of_a_sink_reaches_the_rows_by_layer(tmp_path):
    """gpt-oss from its snapshot to the rows of the metric information."""
    torch.manual_seed(0)
    sizes = {"vocab_size": 97, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "head_dim": 8}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "num_local_experts": 4, "num_experts_per_tok": 2}
    made = snapshot(tmp_path, module=T.GptOssForCausalLM(T.GptOssConfig(**sizes, **heads, pad_token_id=0)))
    (trace,) = recorded(tmp_path, made, ["the cat"])
    settings = {"temperature": 1.0, "target": "next", "final_norm": True, "top_k": 3, "sampling": False, "watch": []}
    found = information([tmp_path / "p0.parquet"], snapshot=made, load={}, settings=settings, seed=0, threads=1)[
        "metric"
    ]
    own = found[found["rank"].isna()].set_index(["quantity", "layer"])
    for layer in range(3):
        mass = 1 - trace.tensor("attention", layer, "row_sum")[:, -1].astype(float)
        assert own.value["attention_sink_mass", layer] == pytest.approx(mass.mean(), abs=1e-6)
        entropies = trace.tensor("attention", layer, "entropy_nats")[:, -1].astype(float)
        assert own.value["attention_entropy_nats", layer] == pytest.approx(entropies.mean(), abs=1e-6)
        assert own.status["attention_entropy_nats", layer] == "ok"
