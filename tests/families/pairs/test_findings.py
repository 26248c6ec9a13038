"""The sentences on models that differ say what table model_pairs holds, and nothing where it tells nothing apart."""

import math

import pandas as pd
from internal_physics.families.pairs.findings import MOST, findings
from internal_physics.families.pairs.tables import ALL_SETS


def row(model="b", metric="ec", *, reference="a", prompt_set=ALL_SETS, p=0.01, ratio=1.05, condition="baseline"):
    ends = {"ratio": ratio, "ratio_ci_low": ratio - 0.02, "ratio_ci_high": ratio + 0.03}
    numbers = {"difference": 0.5, "ci_low": 0.2, "ci_high": 0.8, "p_adjusted": p, "n_prompts": 40}
    place = {"model": model, "condition": condition, "prompt_set": prompt_set, "reference": reference, "metric": metric}
    return place | ends | numbers


def found(*rows, **options):
    return findings({"model_pairs": pd.DataFrame(rows)}, **options)


def test_the_sentence_has_numbers_intervals_n_and_p():
    (finding,) = found(row("b", "ec", p=0.02), row("b", "loss", p=0.02, ratio=1.5), row("b", "isa", p=0.5))
    assert finding.sentence == (
        "On the same 40 prompts, b differs from a: loss +50 % (+48 % to +53 %), EC +5 % (+3 % to +8 %); "
        "adjusted p at most 0.02."
    )
    assert (finding.value, finding.ci_low, finding.ci_high, finding.n) == (1.5, 1.48, 1.53, 40)
    assert (finding.figure, finding.table) == ("model_differences", "model_pairs")


def test_a_score_without_a_ratio_has_its_difference():
    (finding,) = found(row(ratio=math.nan))
    assert "EC +0.5 (+0.2 to +0.8)" in finding.sentence
    assert (finding.value, finding.ci_low, finding.ci_high) == (0.5, 0.2, 0.8)


def test_the_prompts_of_all_sets_come_before_those_of_one_and_one_set_is_named():
    assert found(row(prompt_set="s"), row(p=0.5)) == []
    (finding,) = found(row(prompt_set="s"))
    assert finding.sentence.startswith("On the same 40 prompts of s, b differs from a")


def test_only_differences_from_the_reference_in_the_baseline_are_findings():
    assert found(row("c", reference="b"), row("b", p=0.5), row("c", p=0.5), row(condition="push")) == []


def test_without_a_difference_or_a_table_there_is_no_finding():
    assert found(row(p=0.05)) == found(row(p=math.nan)) == findings({}) == []
    assert findings({"model_pairs": pd.DataFrame([row()]).head(0)}) == []
    assert len(found(row(p=0.05), confidence_level=0.9)) == 1


def test_models_that_differ_in_most_scores_come_first_and_the_others_are_left_out():
    rows = [row(model, metric) for model in "bcdef" for metric in ("ec", "isa")] + [row("f", "isg")]
    sentences = [finding.sentence for finding in found(*rows)]
    assert len(sentences) == MOST
    assert [sentence.split(", ")[1][0] for sentence in sentences] == ["f", "b", "c"]
