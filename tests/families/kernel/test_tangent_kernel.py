"""The tangent kernel against dense autograd, on tiny models of every kind, and its parts."""

import numpy as np
import pytest
import torch
import transformers as T
from attention_models import GROUPED
from cases import check, dense, encoded, like_the_oracle, question, record
from hand_traces import make_trace
from internal_physics.families.kernel.tangent_kernel import (
    TOTAL,
    PromptName,
    TangentKernel,
    cosine_kernel,
    tangent_kernel,
)
from internal_physics.ground.errors import StoreError
from internal_physics.records.store import read_trace, write_trace
from oracles import loss_of, trainable

OF_AUTOGRAD = 1e-8  # of the product of two norms, float64. Seen: 4e-15
KINDS = ("gpt2", "llama", "llama_tied", "gpt_neox", "bert")


def gram(gradients):
    """The kernel of dense gradients: parameter -> matrix for every prompt."""
    flat = np.array([np.concatenate([g.ravel() for g in of_prompt.values()]) for of_prompt in gradients])
    return flat @ flat.T


def assert_equal(found, expected):
    norms = np.sqrt(np.diagonal(expected))
    assert np.abs(found - expected).max() <= OF_AUTOGRAD * norms.max() ** 2
    assert np.all(np.abs(found - expected) <= OF_AUTOGRAD * np.outer(norms, norms))


@pytest.mark.parametrize("name", KINDS)
def test_the_kernel_equals_dense_autograd(name):
    traces = like_the_oracle(name, "float64")
    kernel = tangent_kernel(list(traces.values()))
    assert kernel.prompts == tuple(PromptName("", prompt) for prompt in traces)
    assert_equal(kernel.matrix(), gram([dense(name, "float64")[prompt][1] for prompt in traces]))


@pytest.mark.parametrize("name", ["gpt2", "llama_tied"])
def test_the_parts_of_a_layer_and_of_a_kind_equal_dense_autograd(name):
    traces = like_the_oracle(name, "float64")
    kernel = tangent_kernel(list(traces.values()))
    of_prompts = [dense(name, "float64")[prompt][1] for prompt in traces]
    layer = {"gpt2": "transformer.h.1.", "llama_tied": "model.layers.1."}[name]
    kind, names = {"gpt2": ("fused_qkv", "c_attn"), "llama_tied": ("query", "q_proj")}[name]
    for found, part in ((kernel.matrix(layer=1), layer), (kernel.matrix(kind=kind), names)):
        assert_equal(found, gram([{k: g for k, g in gradients.items() if part in k} for gradients in of_prompts]))
    np.testing.assert_allclose(sum(kernel.matrix(layer=layer) for layer in kernel.layers), kernel.matrix(), rtol=1e-12)
    np.testing.assert_allclose(sum(kernel.matrix(kind=kind) for kind in kernel.kinds), kernel.matrix(), rtol=1e-12)


def test_experts_that_a_prompt_did_not_reach_add_nothing():
    torch.manual_seed(0)
    config = T.MixtralConfig(**GROUPED, num_experts_per_tok=2, num_local_experts=4)
    model = check(T.AutoModelForCausalLM.from_config(config, attn_implementation="eager").double()).model
    random = np.random.default_rng(0)
    prompts = [encoded(f"p{n}", random.integers(5, 90, n)) for n in (2, 3, 9)]
    traces = record(model, prompts)
    assert any(not p.uses for trace in traces.values() for p in trace.info.parameters), "every expert was reached"
    expected = gram([_whole_gradients(model.module, question("causal", prompt)) for prompt in prompts])
    kernel = tangent_kernel(list(traces.values()))
    assert_equal(kernel.matrix(), expected)
    assert {"router", "expert_down"} < set(kernel.kinds)


def _whole_gradients(module, asked):
    """The gradients of all weights, stacks of experts among them; zero where there is none."""
    with trainable(module):
        loss_of(module, asked).backward()
        weights = {name: p for name, p in module.named_parameters() if p.ndim > 1}
        return {n: (p.grad if p.grad is not None else torch.zeros_like(p)).numpy().copy() for n, p in weights.items()}


@pytest.mark.parametrize("name", ["llama_tied", "bert"])
def test_it_is_symmetric_and_positive_semi_definite_and_has_squared_norms_on_its_diagonal(name):
    traces = list(like_the_oracle(name, "float32").values())
    kernel = tangent_kernel(traces).matrix()
    assert np.array_equal(kernel, kernel.T)
    values = np.linalg.eigvalsh(kernel)
    assert values[0] >= -1e-12 * values[-1]
    squares = [sum(trace.gradient_norm(parameter) ** 2 for parameter in trace.parameters) for trace in traces]
    np.testing.assert_allclose(np.diagonal(kernel), squares, rtol=1e-10)


def test_blocks_of_prompts_from_files_give_the_same_kernel(tmp_path):
    traces = [make_trace(f"p{i}", seed=i, n_tokens=i + 2) for i in range(5)]
    for trace in traces:
        write_trace(trace, tmp_path / f"{trace.info.prompt}.parquet")
    whole = tangent_kernel(traces)
    lazy = [read_trace(tmp_path / f"{trace.info.prompt}.parquet") for trace in traces]
    for at_once in (1, 500, 10**9):
        found = tangent_kernel(lazy, bytes_at_once=at_once)
        assert list(found.cells) == list(whole.cells)
        np.testing.assert_allclose(found.matrix(), whole.matrix(), rtol=1e-12)
        assert np.array_equal(found.matrix(), found.matrix().T)


def test_records_without_factors_and_of_another_model_are_refused():
    with pytest.raises(StoreError, match="keeps weight_gradients: norms"):
        tangent_kernel([make_trace("p"), make_trace("q", keep="norms")])
    other = like_the_oracle("gpt2", "float32")["short"]
    with pytest.raises(StoreError, match="has other weights than"):
        tangent_kernel([make_trace("p"), other])


def test_no_records_have_an_empty_kernel():
    assert tangent_kernel([]).prompts == ()


def test_a_wrong_diagonal_is_an_error(monkeypatch):
    from internal_physics.families.kernel import tangent_kernel as module

    products = module.inner_products
    monkeypatch.setattr(module, "inner_products", lambda *of: products(*of) * 1.001)
    with pytest.raises(StoreError, match="on its diagonal, the squared gradient norm is"):
        tangent_kernel([make_trace("p"), make_trace("q", seed=1)])


def test_a_group_of_weights_that_is_not_kept_is_an_error_and_an_exact_one_has_no_standard_error():
    kernel = tangent_kernel([make_trace("p"), make_trace("q", seed=1)])
    with pytest.raises(StoreError, match="no weights of layer 7 and kind up"):
        kernel.matrix(layer=7, kind="up")
    assert not kernel.standard_error().any()


def test_standard_errors_of_independent_groups_add_as_squares():
    one = np.ones((1, 1))
    cells = {(0, "up"): one, (1, "up"): one}
    kernel = TangentKernel(
        (PromptName("s", "p"),), _as_cells(cells), "sketch", _as_cells({(0, "up"): 3 * one, (1, "up"): 4 * one})
    )
    assert kernel.matrix().item() == 2
    assert kernel.standard_error().item() == 5
    whole = TangentKernel((PromptName("s", "p"),), {TOTAL: one}, "sketch", {TOTAL: 2 * one})
    assert (whole.matrix().item(), whole.standard_error().item()) == (1, 2)
    with pytest.raises(StoreError):
        whole.matrix(layer=0)


def _as_cells(by_place):
    from internal_physics.families.kernel.tangent_kernel import Cell

    return {Cell(*place): value for place, value in by_place.items()}


def test_the_cosine_kernel_is_one_on_its_diagonal_and_undefined_without_a_gradient():
    found = cosine_kernel(np.array([[4.0, -2.0, 0.0], [-2.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))
    assert np.array_equal(found[:2, :2], [[1, -1], [-1, 1]])
    assert np.isnan(found[2]).all()
    assert np.isnan(found[:, 2]).all()
