"""What the kernel leaves out, biases and norms: with them, from the same factors, it is that of all parameters."""

from functools import cache

import numpy as np
from cases import check, encoded, record
from internal_physics.families.kernel.tangent_kernel import tangent_kernel
from lab_models import lab_model
from oracles import Question, loss_of, trainable

OF_AUTOGRAD = 1e-9  # of the product of two norms, float64
PROMPTS = {"a": (0, 5, 9, 5, 7), "b": (0, 5, 9, 30), "c": (0, 11, 12, 13, 14, 5)}
READ_BY = {"attention_norm": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"], "mlp_norm": ["mlp.up_proj"]}


@cache
def records():
    """A lab model with biases, LayerNorms and a tied head, and its records."""
    model = check(lab_model("rotary-plain")).model
    return model.module, record(model, [encoded(*prompt) for prompt in PROMPTS.items()], weight_gradients="factors")


@cache
def by_autograd(prompt):
    """Gradient of a prompt's loss by every parameter."""
    module, _ = records()
    with trainable(module):
        loss_of(module, Question(PROMPTS[prompt], "causal")).backward()
        return {name: p.grad.double().numpy().copy() for name, p in module.named_parameters()}


def of_vectors(trace):
    """Gradients of biases, Σ_t δ_t, and of norms, Σ_t g_t ∘ x̂_t and Σ_t g_t with g = Σ δ W over the maps that read."""
    module, _ = records()
    parameters = {name: p.detach().double().numpy() for name, p in module.named_parameters()}
    found = {}
    for name, value in parameters.items():
        if name.endswith("proj.bias"):
            found[name] = used(trace, name.replace(".bias", ".weight")).output_gradient.astype(float).sum(axis=0)
        elif name.endswith("norm.weight"):
            norm = name.removesuffix(".weight")
            block, _, own = norm.rpartition(".")
            readers = [f"{block}.{m}.weight" for m in READ_BY[own]] if own in READ_BY else ["model.embed_tokens.weight"]
            uses = [used(trace, reader) for reader in readers]
            g = sum(use.output_gradient @ parameters[reader] for use, reader in zip(uses, readers, strict=True))
            x = (uses[0].input - parameters[f"{norm}.bias"]) / value
            found[name], found[f"{norm}.bias"] = (g * x).sum(axis=0), g.sum(axis=0)
    return found


def used(trace, weight):
    """The use of a weight as a linear map: a tied embedding is a table, too."""
    (use,) = [term for term in trace.gradient(weight).terms if hasattr(term, "input")]
    return use


def gram(gradients):
    flat = np.array([np.concatenate([g.ravel() for g in of_prompt]) for of_prompt in gradients])
    return flat @ flat.T


def test_gradients_of_biases_and_norms_follow_from_recorded_factors():
    module, traces = records()
    vectors = {name for name, p in module.named_parameters() if p.ndim == 1}
    for prompt, trace in traces.items():
        found, expected = of_vectors(trace), by_autograd(prompt)
        assert set(found) == vectors
        size = np.sqrt(sum(np.square(g).sum() for g in expected.values()))
        assert max(np.abs(found[name] - expected[name]).max() for name in vectors) <= OF_AUTOGRAD * size


def test_the_kernel_with_biases_and_norms_is_that_of_all_parameters():
    _, traces = records()
    of_matrices = tangent_kernel(list(traces.values())).matrix()
    of_vector = gram([of_vectors(trace).values() for trace in traces.values()])
    expected = gram([by_autograd(prompt).values() for prompt in traces])
    norms = np.sqrt(np.diagonal(expected))
    assert (np.abs(of_matrices + of_vector - expected) <= OF_AUTOGRAD * np.outer(norms, norms)).all()
    assert (np.diagonal(of_vector) > 1e-3 * np.diagonal(expected)).all()  # what is left out is something
