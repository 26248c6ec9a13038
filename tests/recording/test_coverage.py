"""Coverage: every weight of two or more dimensions, however a model uses it, against plain autograd in float64."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
import transformers as T
from cases import check, encoded, question, record
from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.coverage import weight_of
from internal_physics.recording.recorder import RecordOptions, record_batch
from many_uses import CONFIGS, FLOAT32_ROUTER, FLOAT32_TOLERANCE, GROUPED, PROMPTS, TOLERANCE, checked, traces
from oracles import loss_of, trainable
from torch import nn

every_name = pytest.mark.parametrize("name", CONFIGS)


@cache
def gradients(name: str, prompt: int) -> dict[str, np.ndarray]:
    """The whole gradient of every weight of two or more dimensions, by autograd."""
    module = checked(name).model.module
    with trainable(module):
        loss_of(module, question("causal", PROMPTS[prompt])).backward()
        return {n: p.grad.numpy().copy() for n, p in module.named_parameters() if p.grad is not None and p.ndim > 1}


def expected(name: str, prompt: int, matrix: str) -> np.ndarray:
    """The gradient of one matrix: a weight, one of a stack, or a weight of more dimensions seen as a matrix."""
    whole = gradients(name, prompt)[weight_of(matrix)]
    return whole[int(matrix[:-1].split("[")[1])] if "[" in matrix else whole.reshape(len(whole), -1)


def tolerance(name: str, matrix: str, prompt: int) -> float:
    """Relative to the whole weight, since a single expert may get next to nothing."""
    bound = FLOAT32_TOLERANCE if name in FLOAT32_ROUTER else TOLERANCE
    return bound * float(np.linalg.norm(gradients(name, prompt)[weight_of(matrix)]))


@every_name
def test_every_weight_is_recorded(name):
    assert checked(name).unreached == ()
    assert checked(name).model.coverage.share == 1.0
    for prompt, trace in enumerate(traces(name).values()):
        assert {weight_of(matrix) for matrix in trace.parameters} == set(gradients(name, prompt))


@every_name
def test_gradients_and_their_norms_equal_autograd(name):
    for p, (trace, norms) in enumerate(zip(traces(name).values(), traces(name, "norms").values(), strict=True)):
        assert trace.parameters == norms.parameters
        for matrix in trace.parameters:
            right, bound = expected(name, p, matrix), tolerance(name, matrix, p)
            assert np.linalg.norm(trace.gradient(matrix).dense() - right) <= bound, matrix
            assert abs(norms.gradient_norm(matrix) - np.linalg.norm(right)) <= bound, matrix


@every_name
def test_inner_products_of_prompts_equal_those_of_whole_gradients(name):
    first, second = traces(name).values()
    for matrix in first.parameters:
        right = float(np.sum(expected(name, 0, matrix) * expected(name, 1, matrix)))
        size = np.prod([np.linalg.norm(gradients(name, p)[weight_of(matrix)]) for p in (0, 1)])
        bound = FLOAT32_TOLERANCE if name in FLOAT32_ROUTER else TOLERANCE
        assert abs(first.gradient(matrix).dot(second.gradient(matrix)) - right) <= bound * size, matrix


def test_an_expert_without_tokens_has_a_gradient_of_zero():
    trace = record(checked("mixtral").model, [encoded("two", (7, 9))])["two"]
    idle = [m for m in trace.parameters if not trace.parameter(m).uses]
    assert idle
    assert all("[" in m and trace.gradient(m).norm() == 0 and not trace.gradient(m).dense().any() for m in idle)
    assert all(trace.gradient(m).singular_values().max() == 0 for m in idle)


def test_an_expert_has_only_the_tokens_that_were_sent_to_it():
    trace = traces("mixtral")["q"]
    used = [
        trace.gradient(m).terms[0] for m in trace.parameters if m.startswith("model.layers.0") and "down_proj[" in m
    ]
    assert sum(len(term.input) for term in used) == 2 * trace.n_tokens  # num_experts_per_tok


def test_latent_attention_runs_in_batches():
    model = checked("minicpm3").model
    assert not model.coverage.alone
    alone = record(replace(model, prompts_interact=True), PROMPTS)
    for prompt, trace in traces("minicpm3").items():
        for matrix in trace.parameters:
            mine, other = trace.gradient(matrix).dense(), alone[prompt].gradient(matrix).dense()
            assert np.linalg.norm(mine - other) <= TOLERANCE * np.linalg.norm(other), matrix


def test_what_is_no_matrix_of_a_product_is_kept_whole():
    dense = checked("mamba").model.coverage.dense
    assert {name.split(".")[-1] for name in dense} >= {"A_log", "weight"}
    assert all(trace.parameter(name).uses[0].dense for trace in traces("mamba").values() for name in dense)


class ListOfExperts(nn.Module):
    """Experts that are linear maps of their own, each of which every token is routed to, in an order of its own."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.experts = nn.ModuleList([nn.Linear(width, width) for _ in range(2)])
        self.router = nn.Linear(width, 2)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        flat = hidden.reshape(-1, hidden.shape[-1])
        weights = self.router(flat).softmax(dim=-1)
        order, output = weights.argsort(dim=-1, descending=True), torch.zeros_like(flat)
        for e, expert in enumerate(self.experts):
            rows = torch.where((order == e).T)[1]  # those whose first choice it is come first
            output = output.index_add(0, rows, expert(flat[rows]) * weights[rows, e, None])
        return output.view_as(hidden)


def test_experts_in_a_list_that_get_every_token_run_alone():
    """The number of rows does not tell that they are in another order, and would be credited to the wrong prompt."""
    torch.manual_seed(0)
    module = T.LlamaForCausalLM(T.LlamaConfig(**GROUPED)).double()
    module.model.layers[0].mlp = ListOfExperts(32).double()
    model = check(module).model
    assert model.coverage.alone
    same_length = [encoded("p", (7, 9, 11, 13)), encoded("q", (8, 20, 40, 12))]
    with pytest.raises(ArchitectureError, match=r"experts\.[01] mixes the tokens"):
        record_batch(model, same_length, RecordOptions(attention_entropy=False))
    traces = record(model, same_length, attention_entropy=False)
    name = "model.layers.0.mlp.experts.0.weight"
    for e in same_length:
        with trainable(module):
            loss_of(module, question("causal", e)).backward()
            right = module.get_parameter(name).grad.numpy().copy()
        error = np.linalg.norm(traces[e.prompt.name].gradient(name).dense() - right)
        assert error <= TOLERANCE * np.linalg.norm(right)
