"""Attention rows: a sink counts as an outcome, and rows that are not distributions have no entropy."""

import math

import numpy as np
import pytest
import torch
from attention_models import BUILT, PROMPTS, WITH_SINK, entropy, gpt_oss, model_of, reported, traces_of
from cases import case, encoded, record, recorded
from internal_physics.families.information.attention import NOT_FINITE, attention_metric_rows
from internal_physics.families.information.attention_statuses import NO_DISTRIBUTION, WITHOUT_SINK
from internal_physics.models.loading import wrap_model
from internal_physics.recording.attention import LayerRows, Rows, attention_tensors, layer_rows, learn_attention_rows
from internal_physics.recording.recorder import RecordOptions, record_batch
from internal_physics.recording.selfcheck import check_model
from internal_physics.records.store import read_trace, write_trace
from internal_physics.records.trace import Key, Trace
from tiny_models import ARCHITECTURES, build_model

# --- rows with a sink ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WITH_SINK)
def test_the_sink_is_an_outcome_of_its_own(name):
    for prompt in PROMPTS:
        trace = traces_of(name)[prompt.prompt.name]
        for layer, p in enumerate(reported(name, prompt.ids)):
            sink = 1 - p.sum(axis=-1, keepdims=True)
            assert sink.max() > 0.1
            found = trace.tensor("attention", layer, "entropy_nats")
            assert found == pytest.approx(entropy(np.concatenate([p, sink], axis=-1)), abs=1e-5)
            assert found.max() <= math.log(trace.n_tokens + 1) + 1e-6
            assert trace.tensor("attention", layer, "row_sum") == pytest.approx(p.sum(axis=-1), abs=1e-5)


@pytest.mark.parametrize("name", WITH_SINK)
def test_a_row_over_one_key_is_the_coin_toss_between_it_and_the_sink(name):
    """Not -p ln p of a single number, which would be no entropy."""
    trace = traces_of(name)["b"]
    p = trace.tensor("attention", 0, "row_sum")[:, 0].astype(float)
    found = trace.tensor("attention", 0, "entropy_nats")[:, 0]
    assert found == pytest.approx(-p * np.log(p) - (1 - p) * np.log(1 - p), abs=1e-5)


@pytest.mark.parametrize("name", [*WITH_SINK, "sigmoids", "granite_swa"])
def test_a_prompt_in_a_padded_batch_equals_the_prompt_alone(name):
    alone, batched = traces_of(name, 1), traces_of(name, 16)
    for prompt, trace in batched.items():
        keys = {key for key in trace.tensors if key.site == "attention"}
        assert keys == {key for key in alone[prompt].tensors if key.site == "attention"}
        for key in keys:
            assert trace.tensors[key].shape == (4, trace.n_tokens)
            np.testing.assert_allclose(trace.tensors[key], alone[prompt].tensors[key], atol=1e-5)


def test_the_share_of_the_sink_is_a_quantity_beside_the_entropy():
    trace = traces_of("gpt_oss")["b"]
    rows = {(row.quantity, row.layer, row.rank): row for row in attention_metric_rows(trace)}
    for layer, p in enumerate(reported("gpt_oss", PROMPTS[1].ids)):
        mass = rows["attention_sink_mass", layer, None]
        assert mass.value == pytest.approx((1 - p[:, -1].sum(axis=-1)).mean(), abs=1e-5)
        own = rows["attention_entropy_nats", layer, None]
        assert own.value == pytest.approx(trace.tensor("attention", layer, "entropy_nats")[:, -1].mean(), abs=1e-6)
        assert (mass.status, own.status) == ("ok", "ok")


def test_a_record_on_disk_keeps_the_sums(tmp_path):
    trace = traces_of("gpt_oss")["c"]
    write_trace(trace, tmp_path / "c.parquet")
    again = read_trace(tmp_path / "c.parquet")
    pairs = list(zip(attention_metric_rows(again), attention_metric_rows(trace), strict=True))
    assert {(a.quantity, a.layer, a.rank) for a, _ in pairs} == {(b.quantity, b.layer, b.rank) for _, b in pairs}
    assert all(a.status == b.status and a.value == pytest.approx(b.value, rel=1e-6) for a, b in pairs)


# --- rows that are not distributions --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status"),
    [("sigmoids", NO_DISTRIBUTION), ("differential", NO_DISTRIBUTION), ("granite_swa", WITHOUT_SINK)],
)
def test_rows_without_an_entropy_have_a_status_and_no_number(name, status):
    """For every prompt: two sigmoids may sum to less than 1, as if there were a sink."""
    for trace in traces_of(name).values():
        found = list(attention_metric_rows(trace))
        assert {row.quantity for row in found} == {
            "attention_entropy_nats",
            "attention_entropy_head_nats",
            "attention_sink_mass",
        }
        assert all(math.isnan(row.value) and row.status == status for row in found)
        assert np.isnan(trace.tensor("attention", 1, "entropy_nats")).all()


def test_a_single_batch_is_judged_by_its_own_rows():
    torch.manual_seed(0)
    model = wrap_model(BUILT["sigmoids"]().eval(), None)
    (trace,) = record_batch(model, [PROMPTS[1]], RecordOptions(weight_gradients="none"))
    assert model.attention_rows == {}
    assert {row.status for row in attention_metric_rows(trace)} == {NO_DISTRIBUTION}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("gpt_oss", Rows.WITH_SINK),
        ("off_by_one", Rows.WITH_SINK),
        ("sigmoids", Rows.NO_DISTRIBUTIONS),
        ("differential", Rows.NO_DISTRIBUTIONS),
        ("granite_swa", Rows.WITHOUT_THEIR_SINK),
    ],
)
def test_the_kind_of_rows_is_determined_once_per_model(name, kind):
    model = model_of(name)
    before = {n: p.clone() for n, p in model.module.named_parameters()}
    learn_attention_rows(model)
    assert model.attention_rows == dict.fromkeys(range(3), kind)
    assert all(torch.equal(p, before[n]) for n, p in model.module.named_parameters())


def test_a_sink_that_gets_no_mass_is_seen_when_it_is_raised():
    """A sink logit of -50 takes no mass: rows sum to 1, and their entropy is correct with and without it."""
    model = model_of("gpt_oss")
    torch.manual_seed(0)
    module = gpt_oss().eval()
    module.load_state_dict(model.module.state_dict())
    with torch.no_grad():
        for layer in module.model.layers:
            layer.self_attn.sinks.fill_(-50.0)
    own = wrap_model(module, None)
    learn_attention_rows(own)
    assert own.attention_rows == dict.fromkeys(range(3), Rows.WITH_SINK)
    trace = record(own, PROMPTS, weight_gradients="none")["b"]
    assert trace.tensor("attention", 0, "row_sum") == pytest.approx(1.0, abs=1e-5)
    assert trace.tensor("attention", 0, "entropy_nats")[:, 0] == pytest.approx(0.0, abs=1e-4)


# --- ordinary rows ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_ordinary_softmax_has_no_sink(name):
    model = case(name).model
    learn_attention_rows(model)
    assert set(model.attention_rows.values()) == {Rows.DISTRIBUTIONS}
    for trace in recorded(name, "float32").values():
        assert not [key for key in trace.tensors if key.quantity == "row_sum"]
        assert "attention_sink_mass" not in {row.quantity for row in attention_metric_rows(trace)}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_rounding_in_half_precision_is_no_sink(dtype):
    model = check_model(wrap_model(build_model("llama").to(dtype), None)).model
    ids = tuple(5 + (i * 17) % 90 for i in range(200))
    trace = record(model, [encoded("p", ids)], weight_gradients="none")["p"]
    assert set(model.attention_rows.values()) == {Rows.DISTRIBUTIONS}
    assert not [key for key in trace.tensors if key.quantity == "row_sum"]


def test_a_sink_is_seen_in_half_precision_too():
    traces = record(model_of("gpt_oss", torch.bfloat16), PROMPTS, weight_gradients="none")
    full = traces_of("gpt_oss")
    for prompt, trace in traces.items():
        found, expected = (t.tensor("attention", 0, "entropy_nats") for t in (trace, full[prompt]))
        np.testing.assert_allclose(found, expected, atol=0.1)  # logits of bfloat16 in a random model


def test_rows_that_are_not_finite_are_not_taken_for_a_sink():
    rows = torch.full((1, 2, 3, 3), 1 / 3)
    rows[0, 1, 2] = torch.nan
    summed = layer_rows([rows] * 3, case("llama").model.anatomy)
    tensors = attention_tensors(summed, 0, 3, {})
    assert [key for key in tensors if key.quantity == "row_sum"] == []
    found = tensors[Key("attention", 0, "entropy_nats")]
    assert np.isnan(found[1, 2])
    assert found[0] == pytest.approx(math.log(3))
    bare = Trace(recorded("llama", "float32")["short"].info, tensors)
    assert {row.status for row in attention_metric_rows(bare) if row.quantity == "attention_entropy_nats"} == {
        NOT_FINITE
    }


def test_the_kind_is_determined_from_the_tokens_of_the_prompt_alone():
    """The rows of padding have arbitrary sums."""
    total = torch.tensor([[[1.0, 1.0, 7.0]]])
    rows = LayerRows(torch.zeros(1, 1, 3), total, torch.zeros(1, 1, 3), 1e-5)
    assert rows.kind(0, 2) == Rows.DISTRIBUTIONS
    assert rows.kind(0, 3) == Rows.NO_DISTRIBUTIONS
