"""The readout read lazily from a snapshot: the whole model's to the last bit, and loaded without the blocks."""

import numpy as np
import pytest
import torch
from internal_physics.config.prompts import Prompt
from internal_physics.families.information.information import verify_readout
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

RESIDUAL = np.random.default_rng(0).standard_normal((5, 32))


def saved(folder, name, dtype="float32"):
    build_model(name, getattr(torch, dtype)).save_pretrained(folder)
    build_tokenizer(task_of(name) == "masked").save_pretrained(folder)
    return folder


def options_of(name, **options):
    return LoadOptions(device="cpu", task=task_of(name), **options)


def loaded_names(readout):
    return {name for name, p in readout.module.named_parameters() if p.device.type != "meta"}


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


def test_only_what_is_needed_is_read_from_disk(tmp_path, monkeypatch):
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
    """BERT's transform is a linear map outside the blocks: bitsandbytes packs it, and so does the readout."""
    options = options_of(name, quantization=quantization)
    model = check_model(load_snapshot(saved(tmp_path, name), options)).model
    model.labels = {"model": name, "condition": "baseline", "prompt_set": "s"}
    text = "the cat [MASK] on the mat" if task_of(name) == "masked" else "the cat sat on the mat"
    encoded = encode(Prompt("p", text), model.tokenizer, model.task, None)
    (trace,) = record_batches(model, [encoded], RecordOptions(weight_gradients="none"))
    lazy = open_readout(tmp_path, options)
    verify_readout(trace, lazy, options.dtype)
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


def test_memory_is_that_of_the_head(tmp_path):
    saved(tmp_path, "llama")
    assert estimate_readout(tmp_path, "float32").weights == 4 * 97 * 32


def test_smollm2_loads_a_fifth_of_its_weights(smollm2):
    readout = open_readout(smollm2, LoadOptions(device="cpu"))
    assert loaded_names(readout) == {"model.norm.weight", "lm_head.weight"}
    loaded = sum(p.numel() for p in readout.module.parameters() if p.device.type != "meta")
    assert loaded == 49152 * 576 + 576
