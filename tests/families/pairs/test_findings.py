"""The sentences on models that differ say what table model_pairs holds, and claim only what is beyond chance."""

import math

import pandas as pd
from internal_physics.families.pairs.findings import MOST, findings, p_values
from internal_physics.families.pairs.tables import ALL_SETS

MODELS = pd.DataFrame(
    {"model": list("abcdef"), "quantization": ["none", "nf4", *["none"] * 4], "bits": [32, 4, *[16] * 4]}
)


def row(model="b", metric="ec", *, reference="a", prompt_set=ALL_SETS, p=0.01, ratio=1.05, condition="baseline"):
    ends = {"ratio": ratio, "ratio_ci_low": ratio - 0.02, "ratio_ci_high": ratio + 0.03}
    numbers = {"difference": 0.5, "ci_low": 0.2, "ci_high": 0.8, "p": p, "n_prompts": 40}
    place = {"model": model, "condition": condition, "prompt_set": prompt_set, "reference": reference, "metric": metric}
    return place | ends | numbers


def tables(*rows):
    return {"model_pairs": pd.DataFrame(rows), "models": MODELS}


def found(*rows, held=None):
    given = tables(*rows)
    claims = p_values(given)
    return findings(given, {claim: p for claim, p in claims.items() if p < 0.05} if held is None else held)


def test_the_sentence_has_numbers_intervals_n_and_p():
    (finding,) = found(row("b", "ec", p=0.02), row("b", "loss", p=0.02, ratio=1.5), row("b", "isa", p=0.5))
    assert finding.sentence == (
        "On the same 40 prompts, b (quantised to 4 bits) differs from a: loss +50 % (+48 % to +53 %), change of the "
        "gradient from block to block (EC) +5 % (+3 % to +8 %); adjusted p at most 0.02."
    )
    assert (finding.value, finding.ci_low, finding.ci_high, finding.n) == (1.5, 1.48, 1.53, 40)
    assert (finding.figure, finding.table, finding.p_adjusted) == ("model_differences", "model_pairs", 0.02)


def test_a_score_without_a_ratio_has_its_difference_and_an_unknown_one_its_name():
    (finding,) = found(row(metric="drift", ratio=math.nan))
    assert "DRIFT +0.5 (+0.2 to +0.8)" in finding.sentence
    assert (finding.value, finding.ci_low, finding.ci_high) == (0.5, 0.2, 0.8)


def test_the_prompts_of_all_sets_come_before_those_of_one_and_one_set_is_named():
    assert p_values(tables(row(prompt_set="s"), row(p=0.5))) == {("b", "ec"): 0.5}
    (finding,) = found(row(prompt_set="s"), row(prompt_set="t", p=0.5))
    assert finding.sentence.startswith("On the same 40 prompts of s, b (quantised to 4 bits) differs from a")


def test_only_differences_from_the_reference_in_the_baseline_are_claims():
    rows = row("c", reference="b"), row("b", p=0.5), row("c", p=0.6), row(condition="push")
    assert p_values(tables(*rows)) == {("b", "ec"): 0.5, ("c", "ec"): 0.6}
    assert found(*rows) == []


def test_nothing_is_told_that_does_not_hold_or_was_not_compared():
    assert found(row(p=0.0001), held={}) == []
    empty = {"model_pairs": pd.DataFrame([row()]).head(0), "models": MODELS}
    assert p_values(empty) == {}
    assert findings(empty, {}) == []


def test_models_that_differ_in_most_scores_come_first_and_the_others_are_left_out():
    rows = [row(model, metric) for model in "bcdef" for metric in ("ec", "isa")] + [row("f", "isg")]
    sentences = [finding.sentence for finding in found(*rows)]
    assert len(sentences) == MOST
    assert [sentence.split(", ")[1][0] for sentence in sentences] == ["f", "b", "c"]
