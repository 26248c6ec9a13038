"""The readout read lazily from a snapshot: equal to the whole model's to the last bit, loaded without blocks."""

import numpy as np
import pytest
import torch
import transformers as T
from internal_physics.config.prompts import Prompt
from internal_physics.families.information.information import verify_readout
from internal_physics.families.information.lens import lens
from internal_physics.ground.errors import ArchitectureError, ModelError
from internal_physics.models.lazy_readout import open_readout
from internal_physics.models.loading import LoadOptions, load_snapshot
from internal_physics.models.memory import estimate_readout
from internal_physics.models.named_tensors import NamedTensor
from internal_physics.models.readout import Readout
from internal_physics.recording.encoding import encode
from internal_physics.recording.recorder import RecordOptions, record_batches
from internal_physics.recording.selfcheck import check_model
from safetensors.torch import load_file, save_file
from tiny_models import ARCHITECTURES, build_model, build_tokenizer, task_of
from torch import nn

from benchmarks.architectures.configs import small_config

RESIDUAL = np.random.default_rng(0).standard_normal((5, 32))


def saved(folder, name, dtype="float32"):
    build_model(name, getattr(torch, dtype)).save_pretrained(folder)
    build_tokenizer(task_of(name) == "masked").save_pretrained(folder)
    return folder


def options_of(name, **options):
    return LoadOptions(device="cpu", task=task_of(name), **options)


def loaded_parameters(readout):
    """Without the single row of zeros that replaces a look-up table."""
    named = readout.module.named_parameters()
    return {name: p for name, p in named if p.device.type != "meta" and p.shape[0] > 1}


def loaded_names(readout):
    return set(loaded_parameters(readout))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_it_equals_the_whole_model_and_loads_no_block(name, dtype, tmp_path):
    options = options_of(name, dtype=dtype)
    full, lazy = load_snapshot(saved(tmp_path, name, dtype), options), open_readout(tmp_path, options)
    whole = Readout(full.module, full.anatomy)
    assert torch.equal(whole.logits(RESIDUAL), lazy.logits(RESIDUAL))
    assert torch.equal(whole.head_logits(RESIDUAL), lazy.head_logits(RESIDUAL))
    assert lazy.vocabulary == lazy.logits(RESIDUAL).shape[1]
    blocks = f"{full.anatomy.blocks_path}."
    assert not [loaded for loaded in loaded_names(lazy) if loaded.startswith(blocks)]
    assert not [m for m in lazy.module.modules() if isinstance(m, nn.Embedding) and m.weight.device.type != "meta"]


SIZES = {"vocab_size": 97, "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
DECODER = {"d_model": 32, "decoder_layers": 2, "decoder_attention_heads": 4, "decoder_ffn_dim": 64}
LLAMA = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}
UNUSUAL = {
    "uses the number of its blocks for a table too": lambda: T.Gemma4TextConfig(
        **SIZES,
        **LLAMA,
        num_hidden_layers=2,
        layer_types=["sliding_attention", "full_attention"],
        vocab_size_per_layer_input=97,
        hidden_size_per_layer_input=4,
    ),
    "asks its first parameter for its number format": lambda: T.OpenAIGPTConfig(
        **SIZES, n_embd=32, n_layer=2, n_head=4, n_positions=64
    ),
    "has a norm inside its table": lambda: small_config(T.CONFIG_MAPPING["inkling_text"], "causal"),
    "gives its table of positions a shape": lambda: T.BlenderbotConfig(
        **SIZES, **DECODER, max_position_embeddings=64, encoder_layers=2
    ),
}


@pytest.mark.parametrize("what", UNUSUAL)
def test_a_model_that_is_not_the_usual_one_has_a_readout_too(what, tmp_path):
    torch.manual_seed(0)
    T.AutoModelForCausalLM.from_config(UNUSUAL[what]()).save_pretrained(tmp_path)
    build_tokenizer().save_pretrained(tmp_path)
    full, lazy = load_snapshot(tmp_path, LoadOptions(device="cpu")), open_readout(tmp_path, LoadOptions(device="cpu"))
    checked = check_model(full).model  # its readout gives the model's own logits
    assert torch.equal(Readout(checked.module, checked.anatomy).logits(RESIDUAL), lazy.logits(RESIDUAL))


def test_only_the_needed_tensors_are_read_from_disk(tmp_path, monkeypatch):
    read, values = [], NamedTensor.read
    monkeypatch.setattr(NamedTensor, "read", lambda tensor: (read.append(tensor.key), values(tensor))[1])
    open_readout(saved(tmp_path, "llama_tied"), options_of("llama_tied"))
    assert sorted(read) == ["model.embed_tokens.weight", "model.norm.weight"]


@pytest.mark.parametrize("name", ["gpt2", "bert"])
@pytest.mark.parametrize("legacy", [False, True])
def test_checkpoints_with_other_names_are_read_as_transformers_reads_them(name, legacy, tmp_path):
    """Hub checkpoints of base models lack the prefix, and old ones call a norm's parameters gamma and beta."""
    options = options_of(name)
    before = open_readout(saved(tmp_path, name), options).logits(RESIDUAL)
    file = tmp_path / "model.safetensors"
    tensors = load_file(file)
    if legacy:
        old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
        tensors = {_replaced(key, old): value for key, value in tensors.items()}
    elif name == "gpt2":
        tensors = {key.removeprefix("transformer."): value for key, value in tensors.items()}
    save_file(tensors, file, metadata={"format": "pt"})
    assert torch.equal(open_readout(tmp_path, options).logits(RESIDUAL), before)


def _replaced(key, parts):
    for part, other in parts.items():
        key = key.replace(part, other)
    return key


def test_shards_are_read_one_by_one(tmp_path):
    saved(tmp_path, "llama")
    expected = open_readout(tmp_path, options_of("llama")).logits(RESIDUAL)
    (tmp_path / "model.safetensors").unlink()
    build_model("llama").save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    assert torch.equal(open_readout(tmp_path, options_of("llama")).logits(RESIDUAL), expected)


def test_a_missing_tensor_is_named(tmp_path):
    file = saved(tmp_path, "llama") / "model.safetensors"
    tensors = load_file(file)
    del tensors["model.norm.weight"]
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"no tensor model\.norm\.weight"):
        open_readout(tmp_path, options_of("llama"))


def test_a_tensor_of_another_shape_is_named(tmp_path):
    file = saved(tmp_path, "llama") / "model.safetensors"
    tensors = load_file(file)
    tensors["lm_head.weight"] = torch.zeros(7, 32)
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lm_head\.weight has shape \(7, 32\)"):
        open_readout(tmp_path, options_of("llama"))


@pytest.mark.parametrize("quantization", ["int8", "nf4", "fp4"])
@pytest.mark.parametrize("name", ["llama", "bert"])
def test_quantised_models_read_what_they_recorded(name, quantization, tmp_path):
    """BERT's transform is a linear map outside the blocks: bitsandbytes packs it, so the readout must too."""
    options = options_of(name, quantization=quantization)
    model = check_model(load_snapshot(saved(tmp_path, name), options)).model
    model.labels = {"model": name, "condition": "baseline", "prompt_set": "s"}
    text = "the cat [MASK] on the mat" if task_of(name) == "masked" else "the cat sat on the mat"
    encoded = encode(Prompt("p", text), model.tokenizer, model.task, None)
    (trace,) = record_batches(model, [encoded], RecordOptions(weight_gradients="none"))
    lazy = open_readout(tmp_path, options)
    verify_readout(trace, lens(trace, lazy).final_log_p, options.dtype)
    whole = Readout(model.module, model.anatomy)
    assert type(lazy.head) is type(whole.head)
    torch.testing.assert_close(lazy.logits(trace.residual(1)), whole.logits(trace.residual(1)), atol=1e-5, rtol=1e-5)


def test_a_model_that_does_not_run_apart_from_its_blocks_is_refused(tmp_path, monkeypatch):
    full = load_snapshot(saved(tmp_path, "llama"), options_of("llama"))

    def broken(*_args, **_kwargs):
        raise RuntimeError("no")

    monkeypatch.setattr(full.module.model.norm, "forward", broken)
    with pytest.raises(ArchitectureError, match="does not run apart from its blocks"):
        Readout(full.module, full.anatomy)


def test_memory_is_bounded_by_the_head(tmp_path):
    saved(tmp_path, "llama")
    assert estimate_readout(tmp_path, "float32").weights == 4 * 97 * 32


def test_smollm2_loads_a_fifth_of_its_weights(smollm2):
    readout = open_readout(smollm2, LoadOptions(device="cpu"))
    assert loaded_names(readout) == {"model.norm.weight", "lm_head.weight"}
    loaded = sum(p.numel() for p in loaded_parameters(readout).values())
    assert loaded == 49152 * 576 + 576
