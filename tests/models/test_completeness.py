"""The loaded model against its files: unused, new, repeated tensors and those of another shape are named."""

import json
import shutil
from pathlib import Path

import internal_physics as ip
import numpy as np
import pytest
import torch
import transformers as T
from internal_physics.ground.errors import ModelError, SourceError, UserError
from internal_physics.models.fetch import fetch
from internal_physics.models.lazy_readout import open_readout
from internal_physics.models.loading import load_snapshot
from internal_physics.models.options import LoadOptions
from internal_physics.models.readout import Readout
from internal_physics.models.sources import parse_source
from safetensors.torch import load_file, save_file
from tiny_models import ARCHITECTURES, build_tokenizer, save_snapshot, task_of

SIZES = {"vocab_size": 97, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
RESIDUAL = np.random.default_rng(0).standard_normal((3, 32))


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("saved")
    for name in ARCHITECTURES:
        save_snapshot(root / name, name)
    return root


@pytest.fixture
def change(saved, tmp_path):
    """A copy of a saved model, with tensors added or replaced; None removes one."""

    def make(name: str, tensors: dict[str, torch.Tensor | None] | None = None, **config: object) -> Path:
        folder = Path(shutil.copytree(saved / name, tmp_path / name))
        found = load_file(folder / "model.safetensors") | (tensors or {})
        kept = {key: tensor.contiguous() for key, tensor in found.items() if tensor is not None}
        save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | config))
        return folder

    return make


def load(folder: Path, name: str = "llama"):
    return load_snapshot(folder, LoadOptions(device="cpu", task=task_of(name)))


def refusal(folder: Path, name: str = "llama") -> UserError:
    with pytest.raises(UserError) as error:
        load(folder, name)
    return error.value


# --- unused tensors --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("llama", "score.weight"),
        ("llama", "lm_head.bias"),
        ("llama", "lm_head_2.weight"),
        ("llama", "v_head.summary.weight"),
        ("llama", "model.norm.bias"),
        ("llama", "model.layers.1.self_attn.q_proj.bias"),
        ("llama", "model.layers.1.self_attn.q_proj.lora_A.weight"),
        ("llama", "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"),
        ("llama", "model.layers.3.mlp.up_proj.weight"),
        ("gpt2", "transformer.h.2.mlp.gate.weight"),
        ("bert", "classifier.weight"),
        ("bert", "bert.encoder.layer.1.attention.self.query.lora_A"),
    ],
)
def test_a_tensor_that_the_model_does_not_use_is_named(change, name, extra):
    error = refusal(change(name, {extra: torch.randn(4, 32)}), name)
    assert isinstance(error, ModelError)
    assert f"does not use 1 tensor ({extra}) of it" in error.what
    assert "config.json belongs to these weights" in error.todo


def test_the_api_refuses_it_too(change):
    with pytest.raises(ModelError, match=r"a LlamaForCausalLM does not use 1 tensor \(score\.weight\)"):
        ip.load(str(change("llama", {"score.weight": torch.randn(2, 32)})))


def test_a_config_with_fewer_layers_than_are_stored_is_refused(change):
    """It would run as a smaller model."""
    error = refusal(change("llama", num_hidden_layers=2))
    assert "does not use 9 tensors (model.layers.2.input_layernorm.weight, " in error.what
    assert error.what.count("model.layers.2") == 5
    assert ", …) of it: the model would not be the stored one" in error.what


def test_biases_that_the_config_forgets_are_refused(tmp_path):
    torch.manual_seed(0)
    T.LlamaForCausalLM(T.LlamaConfig(**SIZES, attention_bias=True)).save_pretrained(tmp_path)
    build_tokenizer().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"attention_bias": False}))
    assert "does not use 12 tensors (model.layers.0.self_attn.k_proj.bias, " in refusal(tmp_path).what


# --- buffers and tensors that are computed again ---------------------------------------------------


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_model_saved_by_transformers_is_complete(saved, name):
    load(saved / name, name)


@pytest.mark.parametrize("form", ["sharded", "pickled"])
@pytest.mark.parametrize(
    "name", ["gpt2", "llama_tied", "gpt_neox", "falcon", "bloom", "opt", "gemma2", "phi3", "qwen3", "bert", "roberta"]
)
def test_a_model_saved_in_shards_and_pickles_is_complete_too(saved, tmp_path, name, form):
    """With tied and untied heads. Tried once with all classes of transformers 5.23: none was refused by mistake."""
    module = load(saved / name, name).module
    folder = Path(shutil.copytree(saved / name, tmp_path / "source"))
    (folder / "model.safetensors").unlink()
    if form == "sharded":
        module.save_pretrained(folder, max_shard_size="20KB")
        assert len(list(folder.glob("model-*.safetensors"))) > 1
    else:
        torch.save(module.state_dict(), folder / "pytorch_model.bin")
    fetch(parse_source(f"path:{folder}", allow_pickle=True), tmp_path / "snapshot")
    again = load(tmp_path / "snapshot", name).module
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), module.parameters(), strict=True))


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("llama", {f"model.layers.{i}.self_attn.rotary_emb.inv_freq": torch.rand(4) for i in range(3)}),
        ("gpt2", {"transformer.h.0.attn.bias": torch.ones(1, 1, 64, 64).tril()}),
        ("gpt2", {"h.0.attn.bias": torch.ones(1, 1, 64, 64, dtype=torch.uint8).tril()}),
        ("gpt2", {"transformer.h.0.attn.masked_bias": torch.tensor(-1e4)}),
        ("gpt_neox", {"gpt_neox.layers.0.attention.bias": torch.ones(1, 1, 64, 64, dtype=torch.bool).tril()}),
        ("bert", {"bert.embeddings.position_ids": torch.arange(512)[None]}),
        ("llama", {"model.layers.0.self_attn.some_mask": torch.ones(16, 16).tril()}),
        ("llama", {"model.steps": torch.tensor(1000)}),
    ],
    ids=["rotary", "mask", "mask-bytes", "masked-bias", "mask-bool", "positions", "any-mask", "count"],
)
def test_buffers_of_old_checkpoints_are_accepted(change, name, extra):
    load(change(name, extra), name)


def test_a_weight_named_like_a_mask_buffer_is_refused(change):
    mask = torch.ones(16, 16).tril()
    mask[3, 2] = 0.5
    assert "some_mask" in refusal(change("llama", {"model.layers.0.self_attn.some_mask": mask})).what


@pytest.mark.parametrize("name", ["bert", "roberta"])
def test_further_heads_of_the_pretraining_of_a_masked_model_are_accepted(change, name):
    """As in the published checkpoints: a pooler, and a head that predicts whether one sentence follows another."""
    extra = {f"{name}.pooler.dense.weight": torch.randn(32, 32), f"{name}.pooler.dense.bias": torch.randn(32)}
    if name == "bert":
        extra |= {"cls.seq_relationship.weight": torch.randn(2, 32), "cls.seq_relationship.bias": torch.randn(2)}
    load(change(name, extra), name)


# --- new tensors, other shapes, repeated and damaged tensors ---------------------------------------


@pytest.mark.parametrize("lost", ["model.norm.weight", "lm_head.weight", "model.layers.2.self_attn.v_proj.weight"])
def test_a_weight_that_is_not_stored_is_named(change, lost):
    error = refusal(change("llama", {lost: None}))
    assert error.what == f"it lacks 1 weight ({lost}) of a LlamaForCausalLM, which would be drawn at random"
    assert error.expected == "a whole checkpoint of a causal language model"


def test_a_config_with_more_layers_than_are_stored_is_refused(change):
    assert (
        "it lacks 9 weights (model.layers.3.input_layernorm.weight, "
        in refusal(change("llama", num_hidden_layers=4)).what
    )


def test_weights_of_another_shape_are_named_with_both_shapes(change):
    error = refusal(change("llama", {"model.layers.1.mlp.up_proj.weight": torch.randn(60, 32)}))
    assert error.what == (
        "1 tensor (model.layers.1.mlp.up_proj.weight (60, 32) instead of (64, 32)) of it: "
        "another shape than a LlamaForCausalLM of its config has"
    )


@pytest.mark.parametrize("quantization", ["nf4", "int8"])
def test_weights_of_another_shape_are_refused_where_they_are_quantised_while_loading(change, quantization):
    folder = change("llama", {"model.layers.1.mlp.up_proj.weight": torch.randn(128, 32)})
    with pytest.raises(ModelError, match=r"model\.layers\.1\.mlp\.up_proj\.weight"):
        load_snapshot(folder, LoadOptions(device="cpu", quantization=quantization))


def test_two_tensors_for_one_weight_are_refused(change):
    error = refusal(change("llama", {"norm.weight": torch.ones(32)}))
    assert error.what == "2 tensors (model.norm.weight, norm.weight) of it: several for one weight"


def test_a_tensor_in_two_shards_is_refused(saved, tmp_path):
    folder = Path(shutil.copytree(saved / "llama", tmp_path / "llama"))
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = {0: "model-00001-of-00002.safetensors", 1: "model-00002-of-00002.safetensors"}
    shards = [dict(list(tensors.items())[:15]), dict(list(tensors.items())[14:])]
    for number, shard in enumerate(shards):
        save_file(shard, folder / names[number], metadata={"format": "pt"})
    index = {key: names[number] for number, shard in enumerate(shards) for key in shard}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    assert f"1 tensor ({list(tensors)[14]}) of it: several for one weight" in refusal(folder).what


def test_an_index_that_names_a_missing_file_is_refused(saved, tmp_path):
    folder = Path(shutil.copytree(saved / "llama", tmp_path / "llama"))
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    error = refusal(folder)
    assert isinstance(error, SourceError)
    assert error.what == "its weights are not all there: model-00002-of-00002.safetensors is missing"


# --- heads and ties come from the tensors ----------------------------------------------------------


def test_a_stored_head_is_used_although_the_config_ties_it(saved, change):
    folder = change("llama", tie_word_embeddings=True)
    model, untied = load(folder), load(saved / "llama")
    head = load_file(folder / "model.safetensors")["lm_head.weight"]
    assert torch.equal(model.module.get_output_embeddings().weight, head)
    assert not torch.equal(model.module.get_input_embeddings().weight, head)
    assert {m.parameter for m in model.anatomy.maps if m.site == "lm_head"} == {"lm_head.weight"}
    ids = torch.tensor([[7, 8, 9]])
    assert torch.equal(model.module(ids).logits, untied.module(ids).logits)
    assert torch.equal(open_readout(folder, LoadOptions(device="cpu")).head.weight, head)


def test_the_lens_of_a_stored_head_equals_the_whole_model(change):
    folder = change("llama", tie_word_embeddings=True)
    whole = load(folder)
    full = Readout(whole.module, whole.anatomy).logits(RESIDUAL)
    assert torch.equal(full, open_readout(folder, LoadOptions(device="cpu")).logits(RESIDUAL))


def test_a_head_stored_beside_the_equal_table_is_tied(saved, change):
    table = load_file(saved / "llama_tied" / "model.safetensors")["model.embed_tokens.weight"]
    model = load(change("llama_tied", {"lm_head.weight": table.clone()}), "llama_tied")
    assert model.module.get_output_embeddings().weight is model.module.get_input_embeddings().weight


def test_a_head_that_is_neither_stored_nor_tied_is_not_taken_from_the_table(change):
    error = refusal(change("llama_tied", tie_word_embeddings=False))
    assert "it lacks 1 weight (lm_head.weight)" in error.what
    assert error.todo.endswith("if its head is the embedding, set tie_word_embeddings: true in config.json")
