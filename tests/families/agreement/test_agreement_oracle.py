"""Agreement against dense recomputation: two models per architecture, residuals and gradients by plain autograd."""

from functools import cache

import numpy as np
import pytest
import torch
from cases import case, like_the_oracle, question, record
from internal_physics.families.agreement.agreement import agreement_rows
from internal_physics.models.loading import wrap_model
from internal_physics.recording.selfcheck import check_model
from oracles import blocks_of, dense_gradients, hooked_flow
from tiny_models import ARCHITECTURES, FLOAT32_INSIDE, N_VOCABULARY, build_model, task_of
from tolerances import METRIC

# Seen over all architectures: 2e-6 (float32), 2e-11 (float64); a wrong layer, prompt or direction is off by several per
# cent.
ARCHITECTURES_IN_DOUBLE = ("gpt2", "llama_tied", "bert")
EVERY = [(name, "float32") for name in ARCHITECTURES] + [(name, "float64") for name in ARCHITECTURES_IN_DOUBLE]


@cache
def neighbour(name, dtype):
    """The same architecture with slightly changed weights, as in a fine-tune or another precision."""
    module = build_model(name, getattr(torch, dtype))
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.03 * torch.randn_like(parameter)
    return check_model(wrap_model(module, None, task_of(name)))


def residuals_of(module, ids):
    """[L + 1, T, d] by forward hooks."""
    blocks, found = blocks_of(module), {}

    def enter(_block, args, kwargs):
        found[0] = args[0] if args else kwargs["hidden_states"]

    def leave(layer):
        return lambda _block, _args, output: found.update({layer: output[0] if isinstance(output, tuple) else output})

    hooks = [blocks[0].register_forward_pre_hook(enter, with_kwargs=True)]
    hooks += [block.register_forward_hook(leave(i)) for i, block in enumerate(blocks, start=1)]
    with torch.no_grad():
        logits = module(torch.tensor([ids])).logits[0].double()
    for hook in hooks:
        hook.remove()
    stream = [found[i].reshape(len(ids), -1).double().numpy() for i in range(len(blocks) + 1)]
    return stream, logits


def dense_record(module, asked):
    """Everything that is compared for one prompt: residuals, their gradients, weight gradients, log-probabilities."""
    stream, logits = residuals_of(module, asked.ids)
    flow = hooked_flow(module, asked)
    gradients = [g.reshape(len(asked.ids), -1) for g in (*flow.below, flow.above[-1])]
    _, weights = dense_gradients(module, asked)
    return stream, gradients, weights, torch.log_softmax(logits[asked.position], dim=-1).numpy()


def expected_numbers(own, reference):
    """(quantity, layer or weight) → number, from dense arrays and the definitions."""
    found = {}

    def compare(name, place, x, r):
        size, other = np.sqrt((x**2).sum()), np.sqrt((r**2).sum())
        if size and other:
            found[f"{name}_cosine", place] = (x * r).sum() / (size * other)
        if other:
            found[f"{name}_distance", place] = np.sqrt(((x - r) ** 2).sum()) / other

    for layer, (x, r) in enumerate(zip(own[0], reference[0], strict=True)):
        compare("residual", layer, x, r)
    for layer, (x, r) in enumerate(zip(own[1], reference[1], strict=True)):
        compare("gradient", layer, x, r)
    for name in own[2]:
        compare("weight_gradient", name, own[2][name], reference[2][name])
    log_q, log_p = own[3], reference[3]
    found["kl_nats", None] = (np.exp(log_p) * (log_p - log_q)).sum()
    found["best_token_agrees", None] = float(log_p.argmax() == log_q.argmax())
    return found


@pytest.mark.parametrize(("name", "dtype"), EVERY, ids=lambda value: value)
def test_every_number_equals_that_of_dense_arrays(name, dtype):
    tiny, other = case(name, dtype), neighbour(name, dtype)
    references = like_the_oracle(name, dtype)
    alone = dtype == "float64" and name in FLOAT32_INSIDE
    batch = 1 if alone else 16
    own = record(other.model, tiny.encoded, batch_size=batch)
    reference = record(tiny.model, tiny.encoded, batch_size=batch)
    assert set(own) == set(references)
    for prompt in tiny.encoded[:3]:
        asked = question(task_of(name), prompt)
        expected = expected_numbers(dense_record(other.model.module, asked), dense_record(tiny.module, asked))
        rows = agreement_rows(own[prompt.prompt.name], reference[prompt.prompt.name])
        found = {
            (r.quantity, r.layer if r.parameter is None else r.parameter): r.value for r in rows if r.status == "ok"
        }
        assert set(found) == set(expected)
        for key, value in expected.items():
            assert found[key] == pytest.approx(value, rel=METRIC[dtype], abs=METRIC[dtype]), key


@pytest.mark.parametrize("name", ["llama", "gpt2", "distilbert"])
def test_with_few_tokens_listed_the_divergence_is_a_lower_bound_that_more_tokens_raise(name):
    tiny, other = case(name), neighbour(name, "float32")
    bounds = []
    for top_k in (2, 10, 40, N_VOCABULARY):
        records = (record(model, tiny.encoded, top_k=top_k, logits=False) for model in (other.model, tiny.model))
        bounds.append(divergences("kl_at_least_nats", *records))
    assert (np.diff(bounds, axis=0) >= -1e-7).all()
    assert (np.array(bounds[-1]) > 1e-3).all()
    assert (np.array(bounds[0]) < 0.9 * np.array(bounds[-1])).all()
    exact = divergences("kl_nats", *(record(model, tiny.encoded) for model in (other.model, tiny.model)))
    assert bounds[-1] == pytest.approx(exact, rel=1e-5)  # the list is of float32 logarithms


def divergences(quantity, own, reference):
    rows = [agreement_rows(own[prompt], reference[prompt]) for prompt in own]
    return [next(row.value for row in of_prompt if row.quantity == quantity) for of_prompt in rows]
