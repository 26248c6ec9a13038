"""The sentences on steering say what table comparisons holds, and claim only what is beyond chance."""

import pandas as pd
import pytest
from internal_physics.families.comparison.findings import findings, p_values

CONDITIONS = pd.DataFrame({
    "condition": ["baseline", "glad", "gloomy"], "adds": ["nothing", "joy", "joy"],
    "layers": ["nowhere", "layer 10", "layer 10"], "scale": [float("nan"), 2.0, -1.0],
})  # fmt: skip
GLAD, SAD, LOSS = " glad", " sad", None


def row(token=GLAD, condition="glad", change=0.06, *, p=0.001, layer=30, prompt_set="moods", n_prompts=12):
    numbers = {"baseline": 0.02, "steered": 0.02 + change, "value": change, "p": p, "n_prompts": n_prompts}
    what = {"quantity": "probability" if token else "loss_nats", "token": token}
    ends = {"ci_low": change - 0.01, "ci_high": change + 0.02, "measure": "difference", "layer": layer}
    return {"model": "m", "condition": condition, "prompt_set": prompt_set} | what | numbers | ends


def tables(*rows):
    frame = pd.DataFrame(rows).astype({"layer": "Int64"})
    return {"comparisons": frame, "conditions": CONDITIONS}


def found(*rows):
    given = tables(*rows)
    return findings(given, {claim: p for claim, p in p_values(given).items() if p < 0.05})


def test_the_sentence_has_probabilities_intervals_n_and_where_it_steers():
    (finding,) = found(row(), row(SAD, change=-0.015), row(" bad", change=0.5, p=0.2))
    assert finding.sentence == (
        "On 12 prompts of moods, steering m with “glad” (scale 2, layer 10) makes next tokens more probable: "
        '" glad" 2.0 % → 8.0 % (change +5 to +8 points); less probable: " sad" 2.0 % → 0.5 % (change −2.5 to +0.5 '
        "points); adjusted p at most 0.001."
    )
    assert (finding.value, finding.ci_low, finding.ci_high, finding.n) == pytest.approx((0.06, 0.05, 0.08, 12))
    assert (finding.figure, finding.table, finding.p_adjusted) == ("watched_tokens-moods", "comparisons", 0.001)


def test_what_a_negative_scale_moves_as_the_positive_one_does_is_against_expectation():
    both = row(SAD, change=-0.01), row(SAD, "gloomy", -0.008), row(GLAD), row(GLAD, "gloomy", -0.01)
    first, second = found(*both)
    assert "against expectation" not in first.sentence
    assert '; against expectation, " sad" moves as it does with a positive scale; adjusted p' in second.sentence
    chance = found(*both[:1], row(SAD, "gloomy", -0.008, p=0.3), *both[2:])
    assert all("against expectation" not in finding.sentence for finding in chance)


def test_the_last_layer_of_the_largest_set_is_told():
    rows = row(layer=29, p=0.9), row(p=0.01), row(prompt_set="few", n_prompts=3, p=0.02)
    assert p_values(tables(*rows)) == {("m", "glad", '" glad"'): 0.01}


def test_without_watched_tokens_the_loss_is_told():
    (finding,) = found(row(LOSS, layer=None, change=1.0), row(LOSS, layer=None) | {"quantity": "ec"})
    assert "changes the loss from 0.02 to 1.02 nats (change +0.99 to +1 nats)" in finding.sentence
    assert finding.figure == "difference_distributions-moods"


def test_nothing_is_told_that_does_not_hold_or_is_not_there():
    assert findings(tables(row()), {}) == []
    empty = {"comparisons": tables(row())["comparisons"].head(0), "conditions": CONDITIONS}
    assert p_values(empty) == {}
    assert findings(empty, {}) == []
