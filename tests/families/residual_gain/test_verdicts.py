"""The rules of the verdicts, ours and the published one, and the sentences about them."""

import numpy as np
import pytest
from internal_physics.families.residual_gain import verdicts
from internal_physics.families.residual_gain.sentences import (
    caption_facts,
    nested_sentence,
    summary_over_models,
    variant_title,
    variants_sentence,
)
from judged_gains import judge
from made_up_gains import driven_points


@pytest.mark.parametrize(
    ("r", "p", "verdict"),
    [
        (0.51, 0.099, "supported"),
        (0.5, 0.01, "inconclusive"),
        (0.9, 0.1, "inconclusive"),
        (-0.51, 0.099, "inverse"),
        (-0.5, 0.01, "inconclusive"),
        (np.nan, np.nan, "untested"),
    ],
)
def test_the_published_rule(r, p, verdict):
    assert verdicts.published_correlation_verdict(r, p) == verdict


@pytest.mark.parametrize(
    ("p", "low", "high", "verdict"),
    [
        (0.049, 0.1, 0.5, "supported"),
        (0.049, -0.5, -0.1, "inverse"),
        (0.049, -0.1, 0.5, "inconclusive"),
        (0.05, 0.1, 0.5, "inconclusive"),
        (0.01, 0.0, 0.5, "inconclusive"),
        (np.nan, 0.1, 0.5, "untested"),
        (0.01, np.nan, np.nan, "untested"),
    ],
)
def test_our_rule(p, low, high, verdict):
    assert verdicts.signed_verdict(p, low, high) == verdict


@pytest.mark.parametrize(
    ("syntactic", "factual", "low", "high", "verdict"),
    [
        ("contracts", "contracts", 0.9, 1.2, "supported"),
        ("contracts", "contracts", 0.69, 1.2, "inconclusive"),
        ("contracts", "inconclusive", 0.9, 1.2, "inconclusive"),
        ("contracts", "contracts", 1.31, 1.5, "inverse"),
        ("contracts", "contracts", 0.2, 0.6, "inverse"),
        ("expands", "contracts", 0.9, 1.2, "inverse"),
        ("untested", "contracts", 0.9, 1.2, "untested"),
        ("contracts", "contracts", np.nan, np.nan, "untested"),
    ],
)
def test_our_rule_of_nested_grammar(syntactic, factual, low, high, verdict):
    assert verdicts.nested_verdict(syntactic, factual, low, high) == verdict


@pytest.mark.parametrize(
    ("syntactic", "factual", "verdict"),
    [
        (0.8, 0.7, "supported"),
        (0.9, 0.7, "supported"),
        (0.92, 0.7, "not supported"),
        (0.48, 0.7, "not supported"),
        (1.0, 0.95, "not supported"),
        (0.5, 0.0, "not supported"),
        (np.nan, 0.7, "untested"),
    ],
)
def test_the_published_rule_of_nested_grammar(syntactic, factual, verdict):
    assert verdicts.published_nested_verdict(syntactic, factual) == verdict


def test_sentences_name_verdict_n_and_rule():
    table = judge(driven_points(0.1), models=("m", "k"))
    about, verdict, numbers = variant_title(table, "m", "last_position").splitlines()
    assert (about, verdict) == ("Last gain against uncertainty,", "last position: supported")
    assert numbers.startswith("r = 0.9") and numbers.endswith("adjusted p = 0.010")  # 99 permutations
    assert variants_sentence(table, "m").count("supported (n = 80") == 3
    assert "20 syntactic and 20 factual prompts" in nested_sentence(table, "m")
    assert "Whole stream: supported in 2;" in summary_over_models(table)
    assert "2 models (n = 80 prompts each)" in summary_over_models(table)
    assert set(caption_facts({"hypotheses": table}, "m")) == {"verdicts", "nested"}
    assert set(caption_facts({"hypotheses": table}, "")) == {"all_verdicts"}


def test_sentences_about_missing_tests_give_the_reason():
    table = judge([("ambiguous", 2.0, 0.5), ("ambiguous", 2.0, 0.6)])
    assert variant_title(table, "m", "whole").splitlines()[1:] == ["whole stream: untested"]
    assert "untested (n = 2, 2 prompts: a correlation" in variants_sentence(table, "m")
    assert "not tested (no prompts of kind syntactic; no prompts of kind factual)" in nested_sentence(table, "m")
