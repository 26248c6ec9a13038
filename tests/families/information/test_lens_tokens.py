"""Tokens that the lens names: predictions, and tokens that are watched along depth."""

import math

import numpy as np
import pytest
from internal_physics.families.information.information import watched_ids
from internal_physics.families.information.lens import LensOptions, lens
from internal_physics.families.information.rows import prediction_rows, rows
from internal_physics.ground.errors import ConfigError
from lens_cases import case
from lens_oracle import log_softmax, oracle_logits
from tiny_models import build_tokenizer


def predictions(temperature=1.0, **settings):
    trace, readout, _ = case("llama", "float64")
    found = lens(trace, readout, LensOptions(temperature))
    return list(prediction_rows(trace, found, str, **{"k": 5, "sampling": False, "seed": 0} | settings)), found


def test_greedy_predictions_are_the_most_probable_tokens():
    table, found = predictions()
    assert [int(row["token"]) for row in table] == np.argsort(-found.final_log_p)[:5].tolist()
    assert [row["probability"] for row in table] == sorted((row["probability"] for row in table), reverse=True)


def test_sampled_predictions_are_seeded_different_and_fair():
    first, found = predictions(sampling=True)
    assert first == predictions(sampling=True)[0]
    assert len({row["token"] for row in first}) == 5
    trace = case("llama", "float64")[0]
    draws = [next(prediction_rows(trace, found, str, k=1, sampling=True, seed=seed))["token"] for seed in range(400)]
    assert len(set(draws)) > 20
    best = int(np.argmax(found.final_log_p))
    share, p = np.mean([int(token) == best for token in draws]), np.exp(found.final_log_p[best])
    assert abs(share - p) < 5 * math.sqrt(p * (1 - p) / 400)


def test_a_low_temperature_samples_the_best_token():
    table, found = predictions(temperature=1e-4, sampling=True, k=1)
    assert int(table[0]["token"]) == int(np.argmax(found.final_log_p))


@pytest.mark.parametrize("name", ["gpt2", "bert", "gemma2"])
def test_watched_tokens_have_the_probability_of_the_oracle_at_every_layer(name):
    trace, readout, oracle = case(name, "float64")
    ids = (3, 7)
    found = lens(trace, readout, LensOptions(watched_ids=ids))
    kept = [row for row in rows(trace, found, ["c", "x"]) if (row.quantity, row.text) == ("probability", "x")]
    for layer in range(trace.n_layers + 1):
        logits = oracle_logits(name, oracle, trace.residual(layer))[trace.info.read_position]
        expected = np.exp(log_softmax(logits))[list(ids)]
        np.testing.assert_allclose(found.watched_probabilities[layer], expected, rtol=1e-9)
        assert kept[layer].value == pytest.approx(expected[1], rel=1e-9)


def test_a_watched_text_is_one_token_or_refused(tmp_path):
    build_tokenizer().save_pretrained(tmp_path)
    assert watched_ids([], tmp_path) == ()
    (only,) = watched_ids(["c"], tmp_path)
    assert build_tokenizer().decode([only]) == "c"
    with pytest.raises(ConfigError, match="'cat' is not one token of this model but 'c' \\+ 'a' \\+ 't'"):
        watched_ids(["cat"], tmp_path)
    with pytest.raises(ConfigError, match=rf"'c' has id {only}, and the model predicts {only} tokens"):
        watched_ids(["c"], tmp_path, n_logits=only)
    assert watched_ids(["c"], tmp_path, n_logits=only + 1) == (only,)
