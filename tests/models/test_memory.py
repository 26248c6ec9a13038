"""Memory: known from the headers of the weights before anything is loaded, close to what loading takes."""

import shutil

import pytest
import torch
from checkpoints import write_index, write_safetensors
from internal_physics.ground.errors import ModelError
from internal_physics.models.loading import LoadOptions, load_snapshot, resolve_device
from internal_physics.models.memory import MemoryEstimate, estimate_memory, require_fits
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


def test_weights_beside_those_that_are_loaded_do_not_count(snapshots, tmp_path):
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


def test_the_total_covers_weights_and_working_memory(snapshots):
    estimate = estimate_memory(snapshots["llama"], "float32", "none")
    assert estimate.total > estimate.weights
    assert estimate.total_mb * 1_000_000 >= estimate.total > (estimate.total_mb - 1) * 1_000_000


def test_a_model_that_fits_is_let_through():
    require_fits(MemoryEstimate(10, 10**9), available=10, place="cpu")


def test_a_model_too_large_is_refused_with_both_sizes():
    with pytest.raises(ModelError) as error:
        require_fits(MemoryEstimate(14_000_000_000, 20_000_000_000), available=8_100_000_000, place="cuda")
    assert error.value.what == "its weights take 14.0 GB and 8.1 GB are free on cuda"
    assert error.value.expected == "a model that fits"
    assert "quantization: nf4 or int8" in error.value.todo


def test_a_model_too_large_is_refused_before_it_is_read(tmp_path):
    write_safetensors(tmp_path / "model.safetensors", **{"up_proj.weight": [10**6, 10**6]})
    with pytest.raises(ModelError, match=r"its weights take 4000\.0 GB"):
        load_snapshot(tmp_path, LoadOptions(device="cpu"))


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "balanced"])
def test_a_gpu_that_is_not_there_is_refused(monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError) as error:
        resolve_device(device)
    assert error.value.what == f"device: {device}, but torch sees no GPU"
    assert "set device: auto or cpu" in error.value.todo


@pytest.mark.parametrize(("available", "device"), [(True, "cuda"), (False, "cpu")])
def test_auto_takes_a_gpu_where_there_is_one(monkeypatch, available, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert resolve_device("auto") == device


def test_a_checkpoint_without_its_head_is_refused_instead_of_drawn_at_random(tmp_path):
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
