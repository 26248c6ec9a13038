"""Memory: estimated from the headers of the weights before loading, and close to the real need."""

import json
import shutil

import pytest
import torch
from checkpoints import write_index, write_safetensors
from internal_physics.ground.errors import ModelError
from internal_physics.models.loading import LoadOptions, load_snapshot, resolve_device
from internal_physics.models.memory import (
    CUDA_BYTES,
    LIBRARY_BYTES,
    MemoryEstimate,
    estimate_memory,
    estimate_spectra,
    require_fits,
)
from internal_physics.models.passes import Pass, blocks_and_heads, largest_pass
from tiny_models import ARCHITECTURES, build_model, save_snapshot, task_of

# Of the bytes of all parameters. Buffers are left out of the estimate; tied weights may be stored twice.
BAND = 0.05


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("snapshots")
    return {name: save_snapshot(folder / name, name) for name in ARCHITECTURES}


def parameter_bytes(module):
    return sum(p.numel() * p.element_size() for p in module.parameters())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_estimate_is_close_to_the_parameters_of_the_loaded_model(snapshots, name, dtype):
    module = load_snapshot(snapshots[name], LoadOptions(dtype=dtype, task=task_of(name))).module
    estimate = estimate_memory(snapshots[name], dtype, "none")
    assert estimate.weights == pytest.approx(parameter_bytes(module), rel=BAND)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float64"])
def test_unquantized_weights_are_counted_exactly(snapshots, dtype):
    expected = parameter_bytes(build_model("llama", getattr(torch, dtype)))
    assert estimate_memory(snapshots["llama"], dtype, "none").weights == expected


@pytest.mark.parametrize(("quantization", "bits"), [("int8", 8), ("nf4", 4.5), ("fp4", 4.5)])
def test_linear_maps_shrink_and_embeddings_do_not(tmp_path, quantization, bits):
    shapes = {"model.embed_tokens.weight": [1000, 64], "lm_head.weight": [1000, 64], "norm.weight": [64]}
    write_safetensors(tmp_path / "model.safetensors", **shapes, **{"up_proj.weight": [256, 64]})
    expected = 256 * 64 * bits / 8 + (2 * 1000 * 64 + 64) * 4
    assert estimate_memory(tmp_path, "float32", quantization).weights == int(expected)


def test_weights_that_are_not_loaded_do_not_count(snapshots, tmp_path):
    expected = estimate_memory(snapshots["llama"], "float32", "none")
    folder = shutil.copytree(snapshots["llama"], tmp_path / "two")
    shutil.copy(folder / "model.safetensors", folder / "consolidated.safetensors")
    assert estimate_memory(folder, "float32", "none") == expected


def test_quantizing_never_asks_for_more(snapshots):
    for snapshot in snapshots.values():
        sizes = [estimate_memory(snapshot, "float32", q).weights for q in ("nf4", "int8", "none")]
        assert sizes == sorted(sizes)


def test_shards_are_added_up_and_no_weight_is_read(tmp_path):
    for i in range(3):
        write_safetensors(tmp_path / f"model-{i}.safetensors", **{f"layer{i}.weight": [10_000, 100_000]})
    write_index(tmp_path, {f"layer{i}.weight": f"model-{i}.safetensors" for i in range(3)})
    assert estimate_memory(tmp_path, "bfloat16", "none").weights == 3 * 10**9 * 2


def test_the_total_is_that_of_the_libraries_plus_the_larger_of_loading_and_recording(snapshots):
    estimate = estimate_memory(snapshots["llama"], "float32", "none")
    assert estimate.loading == 0  # it is used in place
    assert estimate.recording > estimate.weights / 2
    assert estimate.total == LIBRARY_BYTES + estimate.recording
    converted = estimate_memory(snapshots["llama"], "float64", "none", Pass(0, 0))
    assert converted.loading == converted.weights + estimate.weights
    assert converted.total == LIBRARY_BYTES + converted.loading
    on_gpu = estimate_memory(snapshots["llama"], "float32", "none", gpu=True)
    assert on_gpu.total == estimate.total + CUDA_BYTES
    assert estimate.job_mb == estimate.total_mb + 500  # Snakemake's own processes in a cluster job
    assert estimate.total_mb * 1_000_000 >= estimate.total > (estimate.total_mb - 1) * 1_000_000


def test_stored_types_count_instead_of_requested_ones(tmp_path):
    """4-bit codes stay as they are stored; FP8 and MXFP4 become weights of dtype without scales."""
    codes = {"up.weight": ("U8", [128, 1]), "up.weight.absmax": ("F32", [4]), "norm.weight": ("F32", [64])}
    folder = quantised(tmp_path / "nf4", {"quant_method": "bitsandbytes", "load_in_4bit": True}, codes)
    assert estimate_memory(folder, "float32", "auto").weights == 128 + 4 * 4 + 64 * 4
    fp8 = {"up.weight": ("F8_E4M3", [128, 64]), "up.weight_scale_inv": ("F32", [2, 1])}
    folder = quantised(tmp_path / "fp8", {"quant_method": "fp8"}, fp8)
    assert estimate_memory(folder, "bfloat16", "auto").weights == 128 * 64 * 2
    fours = {"experts.up_blocks": ("U8", [2, 64, 4, 16]), "experts.up_scales": ("U8", [2, 64, 4])}
    folder = quantised(tmp_path / "mxfp4", {"quant_method": "mxfp4"}, fours)
    assert estimate_memory(folder, "bfloat16", "auto").weights == 2 * 64 * 4 * 16 * 2 * 2


def of_experts(folder, n_experts=8, **config):
    """Experts stored one by one, 100 × 200 and 200 × 100 each."""
    shapes = {
        f"layers.0.mlp.experts.{i}.w{j}.weight": [[100, 200], [200, 100]][j] for i in range(n_experts) for j in (0, 1)
    }
    write_safetensors(folder / "model.safetensors", **shapes, **{"layers.0.self_attn.q_proj.weight": [64, 64]})
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(("quantization", "bits"), [("int8", 8), ("nf4", 4.5)])
def test_experts_are_not_quantised_although_they_are_stored_as_matrices(tmp_path, quantization, bits):
    """transformers makes one tensor of all of them, which bitsandbytes leaves alone."""
    folder = of_experts(tmp_path)
    assert estimate_memory(folder, "float32", quantization).weights == 8 * 2 * 20_000 * 4 + 64 * 64 * bits / 8
    assert estimate_memory(folder, "float32", "none", Pass(0, 0)).loading == 2 * 8 * 2 * 20_000 * 4  # stored and made


def test_a_token_runs_through_the_experts_it_is_routed_to_alone(tmp_path):
    def per_token(folder):
        runs = [estimate_memory(folder, "float32", "none", Pass(n, n, copies=1.0)).recording for n in (0, 1000)]
        return (runs[1] - runs[0]) / (4 * 1000)

    two = of_experts(tmp_path / "two", num_experts_per_tok=2)
    assert per_token(two) == 2 * 600 + 128
    assert per_token(of_experts(tmp_path / "inner", text_config={"num_experts_per_tok": 3})) == 3 * 600 + 128
    assert per_token(of_experts(tmp_path / "all")) == 8 * 600 + 128
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "config.json").write_text('{"num_experts_per_tok": 2}')
    write_safetensors(tmp_path / "stack" / "model.safetensors", **{"layers.0.mlp.experts.up": [8, 100, 200]})
    assert per_token(tmp_path / "stack") == 2 * 300


def quantised(folder, settings, tensors):
    write_safetensors(folder / "model.safetensors", **tensors)
    (folder / "config.json").write_text(json.dumps({"quantization_config": settings}))
    return folder


def test_the_largest_pass_follows_from_texts_and_options():
    short, long = "a" * 30, "a" * 3000
    assert largest_pass([short] * 4, batch_size=2, batch_tokens=1024).n_tokens == 2 * 12
    assert largest_pass([short, long], batch_size=16, batch_tokens=100).n_tokens == 1002
    plain = largest_pass([short], batch_size=1, batch_tokens=100, recorded=False)
    again = largest_pass([short], batch_size=1, batch_tokens=100, recorded=False, recompute=True, n_layers=4)
    assert (plain.copies, again.copies) == (1, 0.25)
    assert largest_pass([short], batch_size=1, batch_tokens=100, n_rows=6).attention_rows == 6 * 12
    assert largest_pass([], batch_size=1, batch_tokens=100) == Pass(0, 0)


def test_attention_rows_are_counted_from_the_config(snapshots, tmp_path):
    assert blocks_and_heads(snapshots["llama"]) == (3, 4)
    assert blocks_and_heads(snapshots["gpt2"]) == (3, 4)
    assert blocks_and_heads(tmp_path) == (1, 0)
    without, kept = (
        estimate_memory(snapshots["llama"], "float32", "none", Pass(1000, 1000, n_rows=n)).recording for n in (0, 12)
    )
    assert kept - without == 4 * 1000 * 1000 * 12


def test_spectra_need_one_matrix_per_thread(tmp_path):
    write_safetensors(tmp_path / "model.safetensors", a=[1000, 100], b=[1000, 100], c=[10, 10])
    one, two = (estimate_spectra(tmp_path, "float32", "none", threads).recording for threads in (1, 2))
    assert two - one == 12 * 1000 * 100


def test_a_model_that_fits_is_accepted():
    require_fits(MemoryEstimate(10, 10**9, 10**9), available=10, place="cpu")


def test_a_model_too_large_is_refused_with_both_sizes():
    with pytest.raises(ModelError) as error:
        require_fits(
            MemoryEstimate(14_000_000_000, 20_000_000_000, 20_000_000_000), available=8_100_000_000, place="cuda"
        )
    assert error.value.what == "its weights take 14.0 GB and 8.1 GB are free on cuda"
    assert error.value.expected == "a model that fits"
    assert "quantization: nf4 or int8" in error.value.todo


def test_a_model_too_large_is_refused_before_it_is_read(tmp_path):
    write_safetensors(tmp_path / "model.safetensors", **{"up_proj.weight": [10**6, 10**6]})
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ModelError, match=r"its weights take 4000\.0 GB"):
        load_snapshot(tmp_path, LoadOptions(device="cpu"))


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "balanced"])
def test_a_missing_gpu_is_refused(monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError) as error:
        resolve_device(device)
    assert error.value.what == f"device: {device}, but torch sees no GPU"
    assert "set device: auto or cpu" in error.value.todo


@pytest.mark.parametrize(("available", "device"), [(True, "cuda"), (False, "cpu")])
def test_auto_takes_a_gpu_if_there_is_one(monkeypatch, available, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert resolve_device("auto") == device


def test_a_checkpoint_without_its_head_is_refused(tmp_path):
    save_snapshot(tmp_path, "llama")
    build_model("llama").model.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"it lacks 1 weight \(lm_head\.weight\) of a LlamaForCausalLM") as error:
        load_snapshot(tmp_path, LoadOptions())
    assert "language-model head" in error.value.todo


def test_a_folder_that_transformers_cannot_load_is_named(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "no-such-architecture"}')
    with pytest.raises(ModelError, match="transformers cannot load it") as error:
        load_snapshot(tmp_path, LoadOptions())
    assert error.value.where == str(tmp_path)
