"""The sentences on hypotheses say for which norm each is supported, inverse or open."""

import math

import pandas as pd
from internal_physics.families.residual_gain.findings import findings, p_values
from internal_physics.families.residual_gain.verdicts import ALL_SETS


def row(variant, value, verdict, p, hypothesis="entropy_gain", **other):
    x, y, statistic = {
        "entropy_gain": ("entropy_nats", "last_gain", "pearson_r"),
        "nested_grammar": ("syntactic", "factual", "ratio_of_means"),
    }[hypothesis]
    place = {"model": "m", "condition": "baseline", "prompt_set": ALL_SETS, "variant": variant}
    sizes = {"n": 102, "n_x": 21, "n_y": 20}
    numbers = {"value": value, "ci_low": value - 0.1, "ci_high": value + 0.1, "p": p, "verdict": verdict}
    return place | {"hypothesis": hypothesis, "x": x, "y": y, "statistic": statistic} | sizes | numbers | other


ENTROPY = [
    row("whole", -0.04, "inconclusive", 0.7),
    row("last_position", 0.44, "supported", 0.0002),
    row("excluding_first", 0.31, "supported", 0.002),
]
NESTED = [
    row("whole", 1.03, "supported", 0.26, "nested_grammar"),
    row("last_position", 1.16, "inverse", 0.0002, "nested_grammar"),
    row("excluding_first", 1.09, "inverse", 0.2, "nested_grammar"),
]


def found(*rows, significance=0.05):
    tables = {"hypotheses": pd.DataFrame(rows)}
    return findings(tables, {claim: p for claim, p in p_values(tables).items() if p < significance})


def test_every_variant_has_its_number_interval_and_verdict():
    (finding,) = found(*ENTROPY)
    assert finding.sentence == (
        "In m, the less certain the next token, the more the last block expands the residual stream: correlation of "
        "entropy and gain over 102 prompts r = 0.44 [0.34, 0.54] (last position: supported), r = 0.31 [0.21, 0.41] "
        "(first position left out: supported), r = −0.04 [−0.14, 0.06] (whole stream: open); adjusted p at most 0.002."
    )
    assert (finding.value, finding.n, finding.p_adjusted) == (0.44, 102, 0.002)
    assert (finding.figure, finding.table) == ("gain_panels-m", "hypotheses")


def test_a_variant_that_chance_explains_once_all_claims_are_counted_is_open():
    (finding,) = found(*ENTROPY, significance=0.001)
    assert "(first position left out: open)" in finding.sentence
    assert found(*ENTROPY, significance=1e-9) == []


def test_the_inverse_says_that_the_stream_shrinks():
    (finding,) = found(row("whole", -0.5, "inverse", 0.001))
    assert "the more the last block shrinks the residual stream" in finding.sentence


def test_nested_grammar_is_told_where_it_is_not_as_easy_as_a_fact():
    (finding,) = found(*NESTED)
    assert finding.sentence == (
        "In m, nested sentences are not as easy as facts: the last block's gain on 21 syntactic and 20 factual prompts "
        "has the ratio 1.16 [1.06, 1.26] (last position: inverse), 1.03 [0.93, 1.13] (whole stream: supported), 1.09 "
        "[0.99, 1.19] (first position left out: open); adjusted p at most 0.0002."
    )
    assert found(NESTED[0]) == []


def test_nested_sentences_that_expand_less_than_facts_are_not_called_harder():
    """The verdict is inverse too where facts expand the stream."""
    assert found(row("last_position", 0.8, "inverse", 0.0002, "nested_grammar")) == []


def test_only_the_first_model_in_the_baseline_over_all_sets_makes_claims():
    others = [{"model": "n"}, {"condition": "push"}, {"prompt_set": "s"}, {"p": math.nan, "variant": "whole"}]
    rows = [ENTROPY[1] | {"statistic": "spearman_rho"}, ENTROPY[1], *(ENTROPY[1] | other for other in others)]
    assert p_values({"hypotheses": pd.DataFrame(rows)}) == {("entropy_gain", "last_position"): 0.0002}
    empty = {"hypotheses": pd.DataFrame(rows).head(0)}
    assert p_values(empty) == {}
    assert findings(empty, {}) == []
