"""Steering: an intervention that affects later layers, in the record and in the gradients."""

import numpy as np
import pytest
import torch
from internal_physics.models.stream import hidden_state
from internal_physics.records.store import read_trace, write_trace
from internal_physics.steering.directions import build_steering
from internal_physics.steering.intervention import Edit, Steering, fit_width, stretch
from safetensors.torch import save_file
from steered import SOME, TEXTS, WIDTH, V, added, load, record
from tiny_models import ARCHITECTURES

# ---- effect on the residual -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_zero_vector_changes_no_bit(name):
    model = load(name, torch.float32)
    layers = range(model.anatomy.n_layers + 1)
    zero = Steering({layer: (Edit(np.zeros(WIDTH)),) for layer in layers})
    for plain, steered in zip(record(model), record(model, zero), strict=True):
        assert plain.loss_nats == steered.loss_nats
        assert set(plain.tensors) == set(steered.tensors)
        assert all(np.array_equal(plain.tensors[key], steered.tensors[key]) for key in plain.tensors)


@pytest.mark.parametrize("name", SOME)
def test_a_vector_and_its_opposite_at_one_place_give_the_baseline(name):
    model = load(name)
    both = Steering({1: (Edit(V), Edit(-V))})
    for plain, steered in zip(record(model), record(model, both), strict=True):
        np.testing.assert_allclose(steered.residuals(), plain.residuals(), atol=1e-12)
        np.testing.assert_allclose(steered.residual_gradients(), plain.residual_gradients(), atol=1e-12)


@pytest.mark.parametrize("layer", [0, 1, 3])
@pytest.mark.parametrize("name", SOME)
def test_layers_before_it_stay_the_same_and_those_after_it_change(name, layer):
    model = load(name)
    for plain, steered in zip(record(model), record(model, added(layer, V)), strict=True):
        for before in range(layer):
            assert np.array_equal(steered.residual(before), plain.residual(before))
        np.testing.assert_allclose(steered.residual(layer) - plain.residual(layer), np.tile(V, (plain.n_tokens, 1)))
        for after in range(layer + 1, plain.n_layers + 1):
            assert np.abs(steered.residual(after) - plain.residual(after)).max() > 1e-3
        assert steered.loss_nats != plain.loss_nats


@pytest.mark.parametrize("name", SOME)
def test_record_and_gradients_are_those_of_an_independent_hook(name):
    """The oracle adds v to the output of block 0 by a plain hook, and asks autograd for the gradient there."""
    model = load(name)
    text = TEXTS[model.task][0]
    (trace,) = record(model, added(1, V), [text])
    caught = []

    def hook(_module, _args, output):
        steered = (hidden_state(output) + torch.from_numpy(V)).detach().requires_grad_()
        caught.append(steered)
        return (steered, *output[1:]) if isinstance(output, tuple) else steered

    handle = model.anatomy.blocks(model.module)[0].register_forward_hook(hook)
    ids = torch.tensor([trace.info.token_ids])
    log_p = model.module(ids).logits[0].log_softmax(-1)
    handle.remove()
    if model.task == "causal":
        loss = -log_p[torch.arange(ids.shape[1] - 1), ids[0, 1:]].mean()
    else:
        loss = -log_p[trace.info.read_position].max()
    (gradient,) = torch.autograd.grad(loss, caught[0])
    assert trace.loss_nats == pytest.approx(float(loss.detach()), rel=1e-9)
    np.testing.assert_allclose(trace.residual(1), caught[0].detach()[0].numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(trace.residual_gradient(1), gradient[0].numpy(), rtol=1e-7, atol=1e-12)


def test_a_batch_equals_prompts_alone_and_padding_is_not_steered():
    model = load("llama")
    steering = added(1, V, token_weights=(0.0, 2.0))
    for text, trace in zip(TEXTS["causal"], record(model, steering), strict=True):
        (alone,) = record(model, steering, [text])
        np.testing.assert_allclose(trace.residuals(), alone.residuals(), atol=1e-12)
        np.testing.assert_allclose(trace.residual_gradients(), alone.residual_gradients(), atol=1e-12)


def test_weight_gradients_are_those_of_the_steered_pass():
    model = load("gpt2")
    (trace,) = record(model, added(1, V), ["hello world"])
    (norms,) = record(model, added(1, V), ["hello world"], weight_gradients="norms")
    (plain,) = record(model, None, ["hello world"])
    name = "transformer.h.2.mlp.c_fc.weight"
    assert trace.gradient(name).norm() == pytest.approx(norms.gradient_norm(name), rel=1e-9)
    assert trace.gradient(name).norm() != pytest.approx(plain.gradient(name).norm(), rel=1e-3)


def test_a_clamp_holds_the_component_and_leaves_the_rest():
    model, bias = load("llama"), np.full(WIDTH, 0.1)
    u = V / np.linalg.norm(V)
    steering = Steering({1: (Edit(V, "clamp", value=3.0, bias=bias),)})
    for plain, steered in zip(record(model), record(model, steering), strict=True):
        np.testing.assert_allclose((steered.residual(1) - bias) @ u, 3.0)
        change = steered.residual(1) - plain.residual(1)
        np.testing.assert_allclose(change - np.outer(change @ u, u), 0, atol=1e-12)


# ---- weights ------------------------------------------------------------------------------------------------------


def test_layer_and_token_weights_act_as_specified():
    model = load("llama")
    options = {"vector": list(V), "scale": 0.5, "layers": {0: 2.0, 2: -1.0}, "tokens": [0.0, 1.0]}
    steering = build_steering(options, model.anatomy)
    (plain,), (steered,) = record(model, None, ["hello"]), record(model, steering, ["hello"])
    weights = np.linspace(0, 1, plain.n_tokens)
    np.testing.assert_allclose(steered.residual(0) - plain.residual(0), 0.5 * 2.0 * np.outer(weights, V), atol=1e-12)
    only_first = build_steering(options | {"layers": {0: 2.0}}, model.anatomy)
    (first,) = record(model, only_first, ["hello"])
    assert np.array_equal(first.residual(1), steered.residual(1))
    np.testing.assert_allclose(steered.residual(2) - first.residual(2), -0.5 * np.outer(weights, V), atol=1e-12)


@pytest.mark.parametrize(
    ("weights", "n_tokens", "expected"),
    [
        ((2.0,), 3, [2, 2, 2]),
        ((0.0, 1.0), 5, [0, 0.25, 0.5, 0.75, 1]),
        ((1.0, 0.0, 1.0), 5, [1, 0.5, 0, 0.5, 1]),
        ((0.0, 1.0, 2.0, 3.0), 2, [0, 3]),
        ((5.0, 7.0), 1, [5]),
    ],
)
def test_token_weights_are_stretched_linearly(weights, n_tokens, expected):
    np.testing.assert_allclose(stretch(weights, n_tokens), expected)


def test_short_vectors_are_repeated_and_cut_at_the_width():
    np.testing.assert_array_equal(fit_width([1, 2, 3], 7), [1, 2, 3, 1, 2, 3, 1])


def test_without_layers_every_block_is_steered():
    anatomy = load("llama").anatomy
    assert list(build_steering({"vector": [1.0]}, anatomy).edits) == [0, 1, 2]


def test_the_record_describes_the_steering(tmp_path):
    model = load("llama")
    file = tmp_path / "v.safetensors"
    save_file({"v": torch.from_numpy(V)}, str(file))
    steering = build_steering({"file": str(file), "scale": 2.0, "layers": [1]}, model.anatomy, file=file)
    model.labels = {"condition": "push", "steering": steering.description}
    (trace,) = record(model, steering, ["hello"])
    write_trace(trace, tmp_path / "t.parquet")
    said = read_trace(tmp_path / "t.parquet").info.labels
    assert said["condition"] == "push"
    assert said["steering"] | {"sha256": ""} == {"file": str(file), "scale": 2.0, "layers": {"1": 1.0}, "sha256": ""}
    assert len(said["steering"]["sha256"]) == 64
