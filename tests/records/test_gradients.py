"""Factored gradients against dense autograd, on every 2-D parameter of every architecture, and as pure functions."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from cases import EVERY, EVERY_ID, case, dense, encoded, like_the_oracle, question, record, recorded, relative
from hypothesis import given, settings
from hypothesis import strategies as st
from internal_physics.recording.norms import outer_squared
from internal_physics.recording.packing import Packing
from internal_physics.records.gradients import FactoredGradient, LookupTerm, OuterTerm
from oracles import dense_gradients
from tiny_models import ARCHITECTURES, FLOAT32_INSIDE, task_of
from tolerances import BFLOAT16, CANCELLED, EXACT, GRADIENT, GRADIENT_FLOAT32_INSIDE

LONG = 48  # tokens: T·(in + out) > in·out for every map of the tiny models, so norms are taken of the matrix itself

every_architecture = pytest.mark.parametrize(("name", "dtype"), EVERY, ids=EVERY_ID)


def tolerance(name: str, dtype: str) -> float:
    return GRADIENT_FLOAT32_INSIDE if name in FLOAT32_INSIDE else GRADIENT[dtype]


# --- against autograd ------------------------------------------------------------------------------


@every_architecture
def test_every_matrix_that_autograd_reaches_is_recorded_and_no_other(name, dtype):
    for prompt, (_, gradients) in dense(name, dtype).items():
        trace = like_the_oracle(name, dtype)[prompt]
        assert set(trace.parameters) == set(gradients)
        shapes = {k: g.shape for k, g in gradients.items()}
        assert {k: trace.parameter(k).shape for k in trace.parameters} == shapes


@every_architecture
def test_dense_matrix_norm_and_singular_values_equal_autograd(name, dtype):
    for prompt, (loss, gradients) in dense(name, dtype).items():
        trace = like_the_oracle(name, dtype)[prompt]
        assert trace.loss_nats == pytest.approx(loss, rel=tolerance(name, dtype))
        for parameter, expected in gradients.items():
            found = trace.gradient(parameter)
            where = f"{parameter} of prompt {prompt}"
            assert relative(found.dense(), expected) <= tolerance(name, dtype), where
            assert relative(found.norm(), np.linalg.norm(expected)) <= tolerance(name, dtype), where
            assert _singular_value_error(found, expected) <= tolerance(name, dtype), where


@every_architecture
def test_inner_products_between_prompts_equal_autograd(name, dtype):
    traces = like_the_oracle(name, dtype)
    _, first = dense(name, dtype)["long"]
    for prompt in ("short", "repeats", "pad_inside"):
        _, second = dense(name, dtype)[prompt]
        for parameter, expected in second.items():
            found = traces["long"].gradient(parameter).dot(traces[prompt].gradient(parameter))
            size = np.linalg.norm(expected) * np.linalg.norm(first[parameter])
            assert abs(found - np.sum(expected * first[parameter])) <= tolerance(name, dtype) * size, parameter


@every_architecture
def test_norms_on_the_fly_equal_norms_of_factors(name, dtype):
    norms, factors = (recorded(name, dtype, weight_gradients=kept) for kept in ("norms", "factors"))
    for prompt, trace in norms.items():
        assert trace.parameters == factors[prompt].parameters
        for parameter in trace.parameters:
            expected = factors[prompt].gradient(parameter).norm()
            assert trace.gradient_norm(parameter) == pytest.approx(expected, rel=EXACT)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_norms_of_a_long_prompt_with_repeated_tokens(name):
    ids = np.random.default_rng(3).integers(5, 15, LONG)  # ten different tokens in 48 places
    prompt = encoded("long", ids, task_of(name))
    tiny = case(name, "float64")
    trace = record(tiny.model, [prompt], weight_gradients="norms")["long"]
    _, gradients = dense_gradients(tiny.module, question(task_of(name), prompt))
    assert set(trace.parameters) == set(gradients)
    for parameter, expected in gradients.items():
        shape = trace.parameter(parameter).shape
        assert LONG * sum(shape) > shape[0] * shape[1], "the prompt is too short to reach the other branch"
        assert trace.gradient_norm(parameter) == pytest.approx(np.linalg.norm(expected), rel=tolerance(name, "float64"))


def test_two_tokens_leave_queries_and_keys_without_gradient():
    """The only prediction is that of the first token, which attends to itself alone: its softmax cannot change."""
    trace = record(case("llama", "float64").model, [encoded("two", (7, 9))])["two"]
    for parameter in trace.parameters:
        norm = trace.gradient(parameter).norm()
        assert (norm < 1e-15) == ("q_proj" in parameter or "k_proj" in parameter), parameter
        assert np.isfinite(trace.gradient(parameter).singular_values()).all()


def test_a_tied_embedding_is_the_sum_of_its_two_uses():
    trace = recorded("llama_tied", "float64")["repeats"]
    uses = trace.parameter("model.embed_tokens.weight").uses
    assert [(use.site, use.lookup) for use in uses] == [("model.embed_tokens", True), ("lm_head", False)]
    assert "lm_head.weight" not in trace.parameters
    both = trace.gradient("model.embed_tokens.weight")
    parts = [FactoredGradient(both.shape, (term,)).dense() for term in both.terms]
    assert relative(both.dense(), parts[0] + parts[1]) <= EXACT
    assert min(np.linalg.norm(part) for part in parts) > 0.01 * both.norm()


def test_position_and_segment_embeddings_are_recorded_for_each_prompt_of_a_batch():
    names = {
        "bert.embeddings.word_embeddings.weight",
        "bert.embeddings.position_embeddings.weight",
        "bert.embeddings.token_type_embeddings.weight",
    }
    for trace in recorded("bert", "float64").values():
        assert names <= set(trace.parameters)
        positions = trace.gradient("bert.embeddings.position_embeddings.weight").dense()
        assert (np.linalg.norm(positions, axis=1) > 0).sum() == trace.n_tokens
        segments = trace.gradient("bert.embeddings.token_type_embeddings.weight").dense()
        assert (np.linalg.norm(segments, axis=1) > 0).tolist() == [True, False]


def test_conv1d_gradients_have_the_stored_shape():
    trace = recorded("gpt2", "float64")["long"]
    info = trace.parameter("transformer.h.0.attn.c_attn.weight")
    assert (info.transposed, info.shape) == (True, (32, 96))
    assert trace.gradient(info.name).dense().shape == (32, 96)


def test_a_bfloat16_model_gives_the_gradients_of_bfloat16_autograd():
    from internal_physics.models.loading import wrap_model
    from internal_physics.recording.selfcheck import check_model
    from tiny_models import build_model

    model = check_model(wrap_model(build_model("llama", torch.bfloat16), None)).model
    prompt = encoded("p", range(10, 20))
    trace = record(model, [prompt])["p"]
    loss, gradients = dense_gradients(model.module, question("causal", prompt))
    assert trace.loss_nats == pytest.approx(loss, rel=BFLOAT16)
    assert max(relative(trace.gradient(k).dense(), g) for k, g in gradients.items()) <= BFLOAT16


def _singular_value_error(found: FactoredGradient, expected: np.ndarray) -> float:
    """Largest difference over the largest singular value; those missing from the factors count as zero."""
    reference = np.linalg.svd(expected, compute_uv=False)
    values = found.singular_values()
    assert (np.diff(values) <= 0).all()
    n = max(len(reference), len(values))
    difference = np.pad(values, (0, n - len(values))) - np.pad(reference, (0, n - len(reference)))
    return float(np.abs(difference).max() / reference[0]) if reference[0] else float(np.abs(difference).max())


# --- pure functions, random shapes -----------------------------------------------------------------


@dataclass(frozen=True)
class Drawn:
    """A factored gradient, and the same matrix summed up token by token."""

    gradient: FactoredGradient
    matrix: np.ndarray
    size: float  # sum of the norms of its terms: what rounding is relative to


@st.composite
def drawn(draw, shape=None, transposed=None):
    """One to three uses (linear, look-up) of 1 to 6 tokens each, of a weight of 1 to 7 rows and columns; ids repeat."""
    n_out, n_in = shape or (draw(st.integers(1, 7)), draw(st.integers(1, 7)))
    kind = np.dtype(draw(st.sampled_from([np.float32, np.float64])))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    terms, matrix, size = [], np.zeros((n_out, n_in)), 0.0
    for _ in range(draw(st.integers(1, 3))):
        n_tokens = draw(st.integers(1, 6))
        if draw(st.booleans()):
            ids = random.integers(0, n_out, n_tokens)
            rows = random.standard_normal((n_tokens, n_in)).astype(kind)
            terms.append(LookupTerm(ids, rows))
            added = sum(np.outer(np.eye(n_out)[i], row.astype(float)) for i, row in zip(ids, rows, strict=True))
        else:
            x = random.standard_normal((n_tokens, n_in)).astype(kind)
            delta = random.standard_normal((n_tokens, n_out)).astype(kind)
            terms.append(OuterTerm(x, delta))
            added = sum(np.outer(d.astype(float), i.astype(float)) for d, i in zip(delta, x, strict=True))
        matrix, size = matrix + added, size + np.linalg.norm(added)
    turned = draw(st.booleans()) if transposed is None else transposed
    stored = matrix.T if turned else matrix
    return Drawn(FactoredGradient(stored.shape, tuple(terms), turned), stored, max(size, 1e-9))


@given(drawn())
@settings(deadline=None)
def test_dense_norm_and_singular_values_of_random_factors(d):
    assert np.abs(d.gradient.dense() - d.matrix).max() <= EXACT * d.size
    assert abs(d.gradient.norm() - np.linalg.norm(d.matrix)) <= CANCELLED * d.size
    assert abs(d.gradient.dot(d.gradient) - np.sum(d.matrix**2)) <= EXACT * d.size**2
    values = d.gradient.singular_values()
    reference = np.linalg.svd(d.matrix, compute_uv=False)
    n = max(len(values), len(reference))
    assert (
        np.abs(np.pad(values, (0, n - len(values))) - np.pad(reference, (0, n - len(reference)))).max()
        <= EXACT * d.size
    )


@given(st.data())
@settings(deadline=None)
def test_inner_products_of_random_factors(data):
    shape, turned = (data.draw(st.integers(1, 7)), data.draw(st.integers(1, 7))), data.draw(st.booleans())
    a, b = (data.draw(drawn(shape=shape, transposed=turned)) for _ in range(2))
    assert abs(a.gradient.dot(b.gradient) - np.sum(a.matrix * b.matrix)) <= EXACT * a.size * b.size
    assert a.gradient.dot(b.gradient) == pytest.approx(b.gradient.dot(a.gradient), abs=EXACT * a.size * b.size)


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_norm_of_a_random_linear_map_by_grams_and_by_the_matrix(n_tokens, n_in, n_out, seed):
    generator = torch.Generator().manual_seed(seed)
    x, delta = (torch.randn(n_tokens, n, generator=generator) for n in (n_in, n_out))
    expected = np.linalg.norm(delta.double().numpy().T @ x.double().numpy())
    size = float(x.norm() * delta.norm())
    found = float(outer_squared(Packing([n_tokens], n_tokens), x, delta)[0].clamp(min=0).sqrt())
    assert abs(found - expected) <= CANCELLED * size


@pytest.mark.parametrize("n_out", [8191, 8192, 8193, 20_000])
def test_inner_products_of_vocabulary_rows_computed_in_parts(n_out):
    draw = np.random.default_rng(n_out)
    a, b = (
        FactoredGradient((n_out, 3), (OuterTerm(draw.normal(size=(4, 3)), draw.normal(size=(4, n_out))),))
        for _ in range(2)
    )
    assert relative(a.dot(b), np.sum(a.dense() * b.dense())) < EXACT * 100  # the sum cancels by two digits
    assert relative(a.norm(), np.linalg.norm(a.dense())) < EXACT


def test_a_zero_gradient_is_zero_everywhere():
    zero = FactoredGradient((3, 2), (OuterTerm(np.ones((4, 2)), np.zeros((4, 3))),))
    assert zero.norm() == 0
    assert not zero.dense().any()
    assert not zero.singular_values().any()


def test_gradients_of_different_parameters_have_no_inner_product():
    a = FactoredGradient((3, 2), (OuterTerm(np.ones((1, 2)), np.ones((1, 3))),))
    b = FactoredGradient((2, 3), (OuterTerm(np.ones((1, 3)), np.ones((1, 2))),))
    with pytest.raises(ValueError, match=r"different shapes: \(3, 2\) and \(2, 3\)"):
        a.dot(b)


def test_factors_that_do_not_fit_the_parameter_are_refused():
    wrong = FactoredGradient((5, 2), (OuterTerm(np.ones((1, 2)), np.ones((1, 3))),))
    with pytest.raises(ValueError, match="does not fit 5 outputs"):
        wrong.dense()
