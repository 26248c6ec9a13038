"""Results of a GPU against those of the CPU, and quantised kernels against their de-quantised weights."""

import bitsandbytes as bnb
import internal_physics as ip
import numpy as np
import pytest
import torch
import transformers as T
from cases import relative, worst_difference
from internal_physics.families.thermodynamics.spectra import weight_spectra
from internal_physics.models.loading import LoadOptions, load_snapshot, wrap_model
from internal_physics.recording.selfcheck import check_model
from internal_physics.records.sketches import sketches
from internal_physics.records.trace import Trace
from tiny_models import build_tokenizer, save_snapshot, task_of
from tolerances import BATCHED, GPU_BFLOAT16, GPU_QUANTIZED, GPU_SPECTRA
from torch import nn

ARCHITECTURES = ("gpt2", "llama", "gpt_neox", "gemma2", "bert")
TEXTS = {"causal": ["one two three", "the cat sat on the mat.", "75"], "masked": ["on[MASK] two", "the [MASK]at sat."]}


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("snapshots")
    return {name: save_snapshot(folder / name, name) for name in ARCHITECTURES}


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A Llama with sizes that bitsandbytes accepts: blocks of 64 weights share a scale."""
    folder = tmp_path_factory.mktemp("wide") / "llama"
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4}
    model = T.AutoModelForCausalLM.from_config(T.LlamaConfig(vocab_size=97, num_key_value_heads=2, **sizes))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    build_tokenizer().save_pretrained(folder)
    return folder


def recorded(snapshot, name: str, device: str, dtype: str = "float32", **options) -> list[Trace]:
    model = ip.load(str(snapshot), device=device, dtype=dtype, task=task_of(name))
    assert model.device.type == device
    return ip.record(model, TEXTS[task_of(name)], **options)


def tolerance(name: str, dtype: str) -> float:
    """RMS norms and softmaxes of most models compute in float32 even inside a float64 model."""
    if dtype == "bfloat16":
        return GPU_BFLOAT16
    return BATCHED["float64" if dtype == "float64" and name in ("gpt2", "bert") else "float32"]


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_record_of_the_gpu_equals_that_of_the_cpu(snapshots, name, dtype):
    pairs = zip(*(recorded(snapshots[name], name, device, dtype) for device in ("cuda", "cpu")), strict=True)
    for of_gpu, of_cpu in pairs:
        assert of_gpu.loss_nats == pytest.approx(of_cpu.loss_nats, rel=tolerance(name, dtype))
        assert worst_difference(of_gpu, of_cpu)[0] <= tolerance(name, dtype)


@pytest.mark.parametrize("kept", ["norms", "sketch", "factors"])
def test_weight_gradients_equal_those_of_the_cpu_however_they_are_kept(snapshots, kept):
    of_gpu, of_cpu = (recorded(snapshots["llama"], "llama", d, weight_gradients=kept)[1] for d in ("cuda", "cpu"))
    for parameter in of_cpu.parameters:
        assert of_gpu.gradient_norm(parameter) == pytest.approx(of_cpu.gradient_norm(parameter), rel=BATCHED["float32"])
    if kept == "sketch":  # from the same random signs
        found, right = (sketches(trace).values for trace in (of_gpu, of_cpu))
        lengths = np.linalg.norm(right, axis=1, keepdims=True)
        assert np.all(np.abs(found - right) <= BATCHED["float32"] * lengths)


@pytest.mark.parametrize("name", ["gpt2", "bert"])
def test_batched_equals_alone(snapshots, name):
    batched, alone = (recorded(snapshots[name], name, "cuda", "float64", batch_size=n) for n in (16, 1))
    assert max(worst_difference(a, b)[0] for a, b in zip(batched, alone, strict=True)) <= BATCHED["float64"]


@pytest.mark.parametrize("name", ["gpt2", "bert"])
def test_the_lens_gives_the_same_numbers(snapshots, name):
    trace = recorded(snapshots[name], name, "cpu")[0]
    loaded = ip.load(str(snapshots[name]), device="cuda", task=task_of(name))
    expected = ip.lens(trace, str(snapshots[name]), device="cpu", task=task_of(name))
    for found in (ip.lens(trace, loaded), ip.lens(trace, str(snapshots[name]), device="cuda", task=task_of(name))):
        assert relative(found.entropy_nats, expected.entropy_nats) <= BATCHED["float32"]
        assert relative(found.top_probabilities, expected.top_probabilities) <= BATCHED["float32"]
        assert relative(found.final_log_p, expected.final_log_p) <= BATCHED["float32"]


def test_steering_has_the_same_effect(snapshots):
    steered = {}
    for device in ("cuda", "cpu"):
        model = ip.load(str(snapshots["llama"]), device=device)
        push = ip.steer(model, contrast={"positive": ["sat on"], "negative": ["two one"]}, layers=[1], scale=2.0)
        steered[device] = ip.record(model, "the cat", steering=push)
        assert relative(steered[device].residual(2), ip.record(model, "the cat").residual(2)) > 0.01
    assert worst_difference(steered["cuda"], steered["cpu"])[0] <= BATCHED["float32"]


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_spectra_equal_those_of_the_cpu(snapshots, name):
    of_gpu, of_cpu = (weight_spectra(load_snapshot(snapshots[name], LoadOptions(device=d))) for d in ("cuda", "cpu"))
    assert list(of_gpu.parameter) == list(of_cpu.parameter)
    assert set(of_gpu.status) == set(of_cpu.status) == {"ok"}
    for found, expected in zip(of_gpu.singular_values, of_cpu.singular_values, strict=True):
        assert np.abs(np.asarray(found) - expected).max() <= GPU_SPECTRA * max(expected)
    for column in ("weight_norm", "stable_rank", "effective_rank"):
        assert relative(of_gpu[column], of_cpu[column]) <= GPU_SPECTRA


# --- quantised models ------------------------------------------------------------------------------


def dequantized(module: nn.Module) -> torch.Tensor:
    """The weight that the module multiplies by, [out, in]."""
    if isinstance(module, bnb.nn.Linear4bit):
        return bnb.functional.dequantize_4bit(module.weight.data, module.weight.quant_state)
    codes = module.weight.CB if module.state.CB is None else module.state.CB
    scales = module.weight.SCB if module.state.SCB is None else module.state.SCB
    return codes.float() * scales[:, None] / 127


@pytest.mark.parametrize("kind", ["nf4", "fp4"])
def test_4_bit_gradients_are_those_of_the_dequantised_weights(wide, kind):
    model = ip.load(str(wide), device="cuda", quantization=kind, compute_dtype="float32")
    twin = T.AutoModelForCausalLM.from_pretrained(wide, dtype=torch.float32, attn_implementation="eager").cuda()
    sites = {site: m for site, m in model.module.named_modules() if isinstance(m, bnb.nn.Linear4bit)}
    assert len(sites) == 7 * 3
    with torch.no_grad():
        for site, module in sites.items():
            twin.get_submodule(site).weight.copy_(dequantized(module))
    float_model = check_model(wrap_model(twin, model.tokenizer)).model
    for found, expected in zip(*(ip.record(m, TEXTS["causal"]) for m in (model, float_model)), strict=True):
        assert worst_difference(found, expected)[0] <= GPU_QUANTIZED["4 bit"]


@pytest.mark.parametrize("kind", ["nf4", "fp4"])
def test_products_with_4_bit_weights_are_in_bfloat16_by_default(wide, kind):
    default, exact = (
        ip.load(str(wide), device="cuda", quantization=kind, **o) for o in ({}, {"compute_dtype": "float32"})
    )
    assert (default.precision.compute_dtype, exact.precision.compute_dtype) == ("bfloat16", "float32")
    for found, expected in zip(*(ip.record(m, TEXTS["causal"]) for m in (default, exact)), strict=True):
        assert 1e-4 < worst_difference(found, expected)[0] <= GPU_BFLOAT16


def test_8_bit_rounds_little_besides_activations(wide):
    int8, plain = (ip.load(str(wide), device="cuda", **o) for o in ({"quantization": "int8"}, {}))
    kinds = [type(m) for m in int8.module.modules() if isinstance(m, bnb.nn.Linear8bitLt)]
    assert len(kinds) == 7 * 3
    for found, expected in zip(*(ip.record(m, TEXTS["causal"]) for m in (int8, plain)), strict=True):
        assert 1e-4 < relative(found.residual(3), expected.residual(3)) <= GPU_QUANTIZED["8 bit"]
        assert found.loss_nats == pytest.approx(expected.loss_nats, rel=GPU_QUANTIZED["8 bit"])


@pytest.mark.parametrize("kind", ["nf4", "fp4", "int8"])
def test_another_record_in_between_changes_nothing(wide, kind):
    model = ip.load(str(wide), device="cuda", quantization=kind)
    first = ip.record(model, TEXTS["causal"])
    ip.record(model, TEXTS["causal"][0], weight_gradients="none")
    again = ip.record(model, TEXTS["causal"])
    assert max(worst_difference(a, b)[0] for a, b in zip(again, first, strict=True)) == 0
