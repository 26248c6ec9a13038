"""EC, ISC, ISG, ISA and ISF against their definitions in plain loops over autograd, and for degenerate input."""

import math

import numpy as np
import oracles
import pytest
from cases import EVERY, EVERY_ID, encoded, flows, like_the_oracle, relative
from internal_physics import metrics
from internal_physics.families.gradient_flow.flow import EPSILON, flow_status, gradient_flow
from internal_physics.families.gradient_flow.isf import field_structure, fit_power_law, gradient_gram, isf
from internal_physics.families.gradient_flow.limits import MIN_PROMPTS_ISF
from internal_physics.families.gradient_flow.scores import PER_PROMPT
from internal_physics.records.info import TraceInfo
from internal_physics.records.trace import Key, Trace
from tolerances import EXACT, EXPONENT, METRIC

every_architecture = pytest.mark.parametrize(("name", "dtype"), EVERY, ids=EVERY_ID)
per_prompt = pytest.mark.parametrize("metric", ["ec", "isc", "isg", "isa"])


def score(metric: str, trace: Trace) -> float:
    return getattr(metrics, metric)(trace)


# --- against autograd ------------------------------------------------------------------------------


@every_architecture
@per_prompt
def test_score_equals_the_oracle(metric, name, dtype):
    for prompt, flow in flows(name, dtype).items():
        found = score(metric, like_the_oracle(name, dtype)[prompt])
        assert found == pytest.approx(getattr(oracles, metric)(flow), rel=METRIC[dtype]), prompt


@every_architecture
def test_layer_values_equal_the_oracle(name, dtype):
    for prompt, flow in flows(name, dtype).items():
        found = gradient_flow(like_the_oracle(name, dtype)[prompt])
        assert found.relative_change == pytest.approx(oracles.relative_changes(flow), rel=METRIC[dtype])
        assert found.cosine == pytest.approx(oracles.cosines(flow), abs=METRIC[dtype])
        gradients = (*flow.below, flow.above[-1])
        assert found.norm == pytest.approx([np.linalg.norm(g) for g in gradients], rel=METRIC[dtype])


@every_architecture
def test_field_structure_equals_the_oracle(name, dtype):
    """Five prompts of four lengths, so rows are padded."""
    expected = oracles.spectrum(list(flows(name, dtype).values()))
    traces = [like_the_oracle(name, dtype)[prompt] for prompt in flows(name, dtype)]
    found = field_structure(gradient_gram(traces))
    assert found.status == "ok"
    assert relative(found.eigenvalues, expected.eigenvalues) <= METRIC[dtype]
    assert found.isf == pytest.approx(expected.isf, rel=METRIC[dtype])
    assert found.exponent == pytest.approx(expected.exponent, rel=EXPONENT[dtype])
    assert isf(traces) == found.isf


def test_field_structure_of_a_whole_set_does_not_depend_on_the_order_of_prompts():
    traces = list(like_the_oracle("llama", "float64").values())
    assert isf(traces[::-1]) == pytest.approx(isf(traces), rel=EXACT)


# --- by hand ---------------------------------------------------------------------------------------


def flow_trace(*gradients: np.ndarray, loss: float = 2.0) -> Trace:
    """A trace with only the gradients of its residuals, residual 0 first."""
    n_tokens, width = np.shape(gradients[0])
    info = TraceInfo(
        prompt="hand",
        text="hand",
        token_ids=tuple(range(n_tokens)),
        tokens=("t",) * n_tokens,
        loss_nats=loss,
        n_layers=len(gradients) - 1,
        width=width,
        task="causal",
        weight_gradients="none",
        read_position=n_tokens - 1,
    )
    return Trace(info, {Key("residual", i, "gradient"): np.asarray(g, float) for i, g in enumerate(gradients)})


def test_scores_of_a_trace_worked_out_by_hand():
    """Norms 10, 5, 5; e = (5/5, √50/5); c = (1, 0)."""
    trace = flow_trace([[6.0, 8.0]], [[3.0, 4.0]], [[4.0, -3.0]])
    e = np.array([1.0, math.sqrt(2)])
    assert score("ec", trace) == pytest.approx(e.mean(), rel=1e-8)
    assert score("isg", trace) == pytest.approx(e.std() / e.mean(), rel=1e-8)
    assert score("isc", trace) == pytest.approx((10 + 5) / 2.0, rel=1e-12)
    assert score("isa", trace) == pytest.approx(0.5, rel=1e-12)


def test_blocks_that_change_nothing_conserve_and_are_in_synchrony():
    trace = flow_trace(*[[[1.0, 2.0]]] * 4)
    assert (score("ec", trace), score("isa", trace)) == (0.0, pytest.approx(0.0, abs=1e-15))
    assert math.isnan(score("isg", trace))


def test_the_smallest_gradient_is_not_divided_by_zero():
    trace = flow_trace([[1.0, 0.0]], [[0.0, 0.0]])
    assert gradient_flow(trace).relative_change == pytest.approx([1 / EPSILON])
    assert math.isnan(score("isa", trace))
    assert flow_status(gradient_flow(trace)) == "zero gradient, first at block 0 from the top"


def test_a_model_of_one_block_has_no_synchrony():
    """A spread of one number is 0, which would be the best score of all."""
    trace = flow_trace([[6.0, 8.0]], [[3.0, 4.0]])
    heads = [PER_PROMPT[metric](trace)[0] for metric in ("ec", "isc", "isg", "isa")]
    assert [head.value for head in heads] == pytest.approx([1.0, 5.0, math.nan, math.nan], nan_ok=True)
    assert [head.status for head in heads] == [
        "ok",
        "ok",
        "one block: isg is a spread over blocks",
        "one block: isa is a spread over blocks",
    ]


@per_prompt
def test_a_gradient_that_is_not_finite_says_so(metric):
    rows = PER_PROMPT[metric]
    trace = flow_trace([[1.0, 1.0]], [[np.inf, 1.0]], [[1.0, 1.0]], [[1.0, 2.0]])
    with np.errstate(invalid="ignore"):
        head = rows(trace)[0]
    assert (head.quantity, np.isfinite(head.value)) == (metric, False)
    assert head.status == "not finite gradient, first at block 1 from the top"


def test_zero_loss_is_an_infinite_score_with_a_status():
    head = PER_PROMPT["isc"](flow_trace([[1.0, 0.0]], [[1.0, 1.0]], loss=0.0))[0]
    assert (head.value, head.status) == (math.inf, "isc is not finite")


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_a_power_law_is_found_again(exponent):
    ranks = np.arange(1, 8)
    assert fit_power_law(3.0 * ranks**-exponent) == pytest.approx((3.0, exponent), rel=1e-9)


def test_eigenvalues_of_a_field_with_a_known_spectrum():
    """Six orthogonal centred directions of known variance; the seventh eigenvalue is 0 because of centring."""
    n = 7
    directions = np.linalg.svd(np.eye(n) - 1 / n)[0][:, : n - 1]  # orthonormal columns that sum to zero
    variances = np.arange(1, n, dtype=float) ** -2
    found = field_structure(directions @ np.diag(variances * (n - 1)) @ directions.T)
    assert found.eigenvalues == pytest.approx([*variances, 0.0], abs=EXACT)
    assert found.exponent == pytest.approx(2.0, abs=0.02)  # except the missing 1/49 at the end
    assert 0 < found.isf < 0.01


def test_equal_prompts_have_no_field_structure():
    found = field_structure(gradient_gram([flow_trace([[1.0, 2.0]], [[1.0, 1.0]])] * 3))
    assert math.isnan(found.isf)
    assert found.status.startswith("flat spectrum")


@pytest.mark.parametrize("n", [3, 6, 40])
def test_prompts_that_are_equal_up_to_rounding_have_no_field_structure(n):
    row = np.random.default_rng(0).standard_normal(1000)
    gram = np.full((n, n), row @ row) * (1 + 1e-15 * np.random.default_rng(1).uniform(-1, 1, (n, n)))
    found = field_structure((gram + gram.T) / 2)
    assert "do not differ" in found.status
    assert np.isnan([found.isf, found.exponent]).all()


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_prompts_that_differ_in_one_direction_have_no_exponent(scale):
    """a·k^(-b) goes through (1, λ) and zeros for infinite b; the fit would stop anywhere on its way."""
    places = np.array([1.0, 1.0, 4.0, -3.0])
    found = field_structure(np.outer(places, places) * scale)
    assert (found.isf, found.status) == (0.0, "ok")
    assert np.isnan(found.exponent)
    assert "one direction" in found.exponent_status
    assert found.fitted == pytest.approx([found.eigenvalues[0], 0, 0, 0])


def test_field_structure_ignores_the_scale_of_gradients():
    traces = [flow_trace(*g) for g in np.random.default_rng(0).standard_normal((5, 3, 4, 6))]
    gram = gradient_gram(traces)
    small = field_structure(gram * 1e-30)
    assert small.isf == pytest.approx(field_structure(gram).isf, rel=1e-9)
    assert small.exponent == pytest.approx(field_structure(gram).exponent, rel=1e-7)


def test_field_structure_needs_three_prompts():
    trace = flow_trace([[1.0, 2.0]], [[1.0, 1.0]])
    with pytest.raises(ValueError, match=f"at least {MIN_PROMPTS_ISF} prompts, there are 2"):
        isf([trace, trace])


def test_an_infinite_gradient_leaves_no_field_structure():
    traces = [flow_trace([[x, 2.0]], [[1.0, 1.0]]) for x in (1.0, 2.0, np.inf)]
    with np.errstate(invalid="ignore"):
        found = field_structure(gradient_gram(traces))
    assert math.isnan(found.isf)
    assert found.status == "not finite gradient in at least one prompt"


def test_the_shortest_prompt_has_scores():
    from cases import case, record

    trace = record(case("gpt2", "float64").model, [encoded("two", (7, 9))])["two"]
    assert all(np.isfinite(score(metric, trace)) for metric in ("ec", "isc", "isg", "isa"))
