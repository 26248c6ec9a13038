"""The lens against a float64 oracle on every tiny architecture; conventions, memory, degenerate input."""

import math
import warnings

import numpy as np
import pytest
import torch
import transformers
from internal_physics.config.prompts import Prompt
from internal_physics.families.information.information import verify_readout
from internal_physics.families.information.lens import LensOptions, lens, surprisal_targets
from internal_physics.families.information.rows import rows, settled_layer
from internal_physics.ground.errors import ConfigError, ModelError
from internal_physics.models.loading import wrap_model
from internal_physics.models.readout import Readout
from internal_physics.recording.encoding import encode, encode_prompts
from internal_physics.recording.recorder import RecordOptions, record_batches
from internal_physics.recording.selfcheck import check_model
from internal_physics.records.trace import Key, Trace
from lens_cases import OPTIONS, TEXTS, case, found_rows
from lens_oracle import log_softmax, oracle_logits, quantities
from tiny_models import ARCHITECTURES, build_model, build_tokenizer

TOLERANCE = {"float32": 1e-4, "float64": 1e-9}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_quantity_equals_the_oracle(name, dtype):
    trace, readout, oracle = case(name, dtype)
    targets, t = surprisal_targets(trace, "next"), trace.info.read_position
    found = found_rows(trace, lens(trace, readout))
    final = oracle_logits(name, oracle, trace.residual(trace.n_layers))[t]
    for layer in range(trace.n_layers + 1):
        expected = quantities(oracle_logits(name, oracle, trace.residual(layer)), final, targets, t)
        for quantity, value in expected.items():
            assert found[quantity][layer] == pytest.approx(value, abs=TOLERANCE[dtype], rel=TOLERANCE[dtype]), quantity


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_last_residual_gives_the_recorded_prediction_and_the_loss(name):
    trace, readout, _ = case(name, "float64")
    found = lens(trace, readout)
    verify_readout(trace, found.final_log_p, "float64")
    assert found.final_ids.tolist() == trace.tensor("logits", trace.n_layers, "top_ids").tolist()
    assert found_rows(trace, found)["mean_surprisal_nats"][-1] == pytest.approx(trace.loss_nats, abs=1e-9)


@pytest.mark.parametrize("name", ["gpt2", "bert", "gemma2"])
def test_attention_entropy_is_recorded_by_head_and_averaged(name):
    trace, readout, _ = case(name)
    by_head = [row for row in rows(trace, lens(trace, readout)) if row.quantity == "attention_entropy_head_nats"]
    mean = found_rows(trace, lens(trace, readout))["attention_entropy_nats"]
    assert len(mean) == trace.n_layers
    for layer, value in enumerate(mean):
        heads = [row.value for row in by_head if row.layer == layer]
        assert len(heads) == 4
        assert value == pytest.approx(np.mean(heads), abs=1e-12)
        recorded = trace.tensor("attention", layer, "entropy_nats")[:, trace.info.read_position]
        assert heads == pytest.approx(recorded.tolist())


def test_a_record_without_attention_has_no_attention_rows():
    trace, readout, _ = case("llama")
    bare = Trace(trace.info, {key: value for key, value in trace.tensors.items() if key.site != "attention"})
    assert not [row for row in rows(bare, lens(bare, readout)) if "attention" in row.quantity]


@pytest.mark.parametrize("name", ["gpt2", "bert"])
def test_the_published_conventions(name):
    """As in the published package: the head on raw hidden states, and the surprisal of the token at the position."""
    trace, readout, oracle = case(name, "float64")
    ids, t, temperature = torch.tensor([trace.info.token_ids]), trace.info.read_position, 0.8
    with torch.no_grad():
        states = oracle(ids, output_hidden_states=True).hidden_states
        published = [oracle.get_output_embeddings()(h)[0].numpy() / temperature for h in states]
    found = found_rows(trace, lens(trace, readout, LensOptions(temperature, "self", final_norm=False)))
    normed = found_rows(trace, lens(trace, readout, LensOptions(temperature, "self")))
    for layer, logits in enumerate(published):
        log_p = log_softmax(logits)[t]
        expected = {"entropy_nats": -(np.exp(log_p) * log_p).sum(), "surprisal_nats": -log_p[trace.info.token_ids[t]]}
        # GPT-2's last hidden state is after its final norm, which the package does not consider.
        own = normed if name == "gpt2" and layer == trace.n_layers else found
        for quantity, value in expected.items():
            assert own[quantity][layer] == pytest.approx(value, abs=1e-9), (quantity, layer)


def test_temperature_divides_logits():
    trace, readout, oracle = case("llama", "float64")
    found = lens(trace, readout, LensOptions(temperature=2.5))
    logits = oracle_logits("llama", oracle, trace.residual(1)) / 2.5
    log_p = log_softmax(logits)
    assert found.entropy_nats[1] == pytest.approx(-(np.exp(log_p) * log_p).sum(-1), abs=1e-9)
    assert found.read["margin"][1] == pytest.approx(float(np.diff(np.sort(logits[-1])[-2:])[0]), abs=1e-9)


@pytest.mark.parametrize("name", ["llama", "bert"])
def test_chunks_change_nothing(name):
    trace, readout, _ = case(name, "float64")
    whole, pieces = lens(trace, readout), lens(trace, readout, LensOptions(scratch_bytes=1))
    for field in ("entropy_nats", "surprisal_nats", "top_probabilities", "layer_probabilities", "final_probabilities"):
        np.testing.assert_allclose(getattr(pieces, field), getattr(whole, field), atol=1e-12)
    np.testing.assert_array_equal(pieces.top_ids, whole.top_ids)


def test_blocks_change_nothing(monkeypatch):
    trace, readout, _ = case("llama", "float64")
    whole = lens(trace, readout)
    monkeypatch.setattr("internal_physics.families.information.lens._BLOCK_BYTES", 2 * 8 * readout.vocabulary)
    pieces = lens(trace, readout)
    for field in ("entropy_nats", "surprisal_nats", "top_ids", "layer_ids", "final_probabilities"):
        np.testing.assert_array_equal(getattr(pieces, field), getattr(whole, field), err_msg=field)
    for quantity, values in whole.read.items():
        np.testing.assert_array_equal(pieces.read[quantity], values, err_msg=quantity)


def test_no_chunk_has_more_rows_than_the_memory_allows():
    trace, readout, _ = case("llama")
    seen = []

    class Spy:
        vocabulary = readout.vocabulary

        def logits(self, residual):
            seen.append(len(residual))
            return readout.logits(residual)

    lens(trace, Spy(), LensOptions(scratch_bytes=5 * 12 * readout.vocabulary))
    assert max(seen) == 5
    assert sum(seen) == (trace.n_layers + 1) * trace.n_tokens, "a residual is read twice"


def test_the_top_tokens_of_each_layer_and_their_way_through_depth():
    trace, readout, oracle = case("gpt2", "float64")
    found = lens(trace, readout, LensOptions(top_k=4))
    for layer in range(trace.n_layers + 1):
        p = np.exp(log_softmax(oracle_logits("gpt2", oracle, trace.residual(layer))[-1]))
        assert found.layer_ids[layer].tolist() == np.argsort(-p)[:4].tolist()
        assert found.final_probabilities[layer] == pytest.approx(p[found.final_ids], abs=1e-9)


def test_surprisal_at_the_mask_is_that_of_the_answer():
    trace, readout, oracle = case("bert", "float64", answer="q")
    assert trace.info.answer_id == build_tokenizer()("q")["input_ids"][0]
    log_p = log_softmax(oracle_logits("bert", oracle, trace.residual(0)))[trace.info.read_position]
    found = found_rows(trace, lens(trace, readout))
    assert found["surprisal_nats"][0] == pytest.approx(-log_p[trace.info.answer_id], abs=1e-9)
    assert found["surprisal_nats"][-1] == pytest.approx(trace.loss_nats, abs=1e-9)


def test_a_token_settles_where_it_stays_on_top():
    for ranks, layer in (([1, 1, 1, 1], 0), ([5, 1, 2, 1], 3), ([1, 2, 1, 1], 2)):
        assert settled_layer(np.array(ranks, float)) == layer
    assert math.isnan(settled_layer(np.array([1.0, 1, 1, 2])))
    assert math.isnan(settled_layer(np.array([1.0, 1, 1, np.nan])))


def test_only_a_residual_that_is_not_finite_is_flagged():
    trace, readout, _ = case("llama")
    bad = trace.residual(1).copy()
    bad[-1, 0] = np.nan
    sick = Trace(trace.info, {**trace.tensors, Key("residual", 1, "activation"): bad})
    flagged = {(row.quantity, row.layer) for row in rows(sick, lens(sick, readout)) if row.status != "ok"}
    assert ("entropy_nats", 1) in flagged
    assert {layer for _, layer in flagged} == {1} | ({trace.n_layers} if ("settled_layer", 3) in flagged else set())


def test_a_readout_that_does_not_give_the_recorded_prediction_is_refused():
    trace, readout, _ = case("llama")
    other = Trace(trace.info, {**trace.tensors, Key("residual", trace.n_layers, "activation"): trace.residual(0)})
    with pytest.raises(ModelError, match="differs from the recorded prediction"):
        verify_readout(other, lens(other, readout).final_log_p, "float32")


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_a_readout_is_compared_at_the_temperature_of_the_record(temperature):
    trace, readout, _ = case("llama", "float64")
    verify_readout(trace, lens(trace, readout, LensOptions(temperature)).final_log_p, "float64", temperature)
    with pytest.raises(ModelError, match="differs from the recorded prediction"):
        verify_readout(trace, lens(trace, readout, LensOptions(temperature)).final_log_p, "float64", 1.1 * temperature)


@pytest.mark.parametrize(
    ("module", "task", "takes"),
    [
        (
            lambda: transformers.OPTForCausalLM(
                transformers.OPTConfig(
                    vocab_size=97,
                    hidden_size=32,
                    num_hidden_layers=3,
                    num_attention_heads=4,
                    ffn_dim=64,
                    word_embed_proj_dim=16,
                    do_layer_norm_before=False,
                )
            ),
            "causal",
            16,
        ),
        (
            lambda: transformers.ElectraForMaskedLM(
                transformers.ElectraConfig(
                    vocab_size=97,
                    embedding_size=16,
                    hidden_size=32,
                    num_hidden_layers=3,
                    num_attention_heads=4,
                    intermediate_size=64,
                )
            ),
            "masked",
            16,
        ),
    ],
    ids=["opt", "electra"],
)
def test_the_raw_residual_is_refused_if_the_head_cannot_take_it(module, task, takes):
    """With a head narrower than the residual stream, the published convention has no meaning; the default one has."""
    torch.manual_seed(0)
    model = check_model(wrap_model(module().eval(), build_tokenizer(task == "masked"), task)).model
    (trace,) = record_batches(model, [encode(Prompt("p", TEXTS[task]), model.tokenizer, task, None)], OPTIONS)
    readout = Readout(model.module, model.anatomy)
    with pytest.raises(ConfigError) as error:
        lens(trace, readout, LensOptions(final_norm=False))
    assert f"it takes {takes} numbers" in error.value.what
    assert f"the residual stream of {model.anatomy.architecture} has 32" in error.value.what
    assert error.value.where == "information → final_norm"
    found = lens(trace, readout)
    assert found.final_log_p[trace.tensor("logits", 3, "top_ids")[0].astype(int)] == pytest.approx(
        float(trace.tensor("logits", 3, "top_log_probabilities")[0]), abs=1e-5
    )


def test_a_prompt_of_one_token_has_no_surprisal_and_says_why():
    model = check_model(wrap_model(build_model("gpt2", torch.float32), build_tokenizer(False), "causal")).model
    model.labels = {"model": "gpt2", "condition": "baseline", "prompt_set": "s"}
    options = RecordOptions(weight_gradients="none", target="logit")
    encoded = encode_prompts(model, [Prompt("p", "a")], needs_loss=False)
    (trace,) = record_batches(model, encoded, options)
    assert trace.n_tokens == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = rows(trace, lens(trace, Readout(model.module, model.anatomy)))
    without = [row for row in found if row.status != "ok"]
    assert {row.quantity for row in without} == {"surprisal_nats", "mean_surprisal_nats"}
    assert {row.status for row in without} == {"one token: no next token"}
    assert all(math.isnan(row.value) for row in without)
