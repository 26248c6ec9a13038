"""The sentence on agreement: numbers of the table, and silence where there is nothing to say."""

import pandas as pd
import pytest
from internal_physics.families.agreement.findings import least_agreement

KEY = {"condition": "baseline", "prompt_set": "s", "reference": "fp32", "reference_condition": "baseline"}


def row(model, quantity, layer, mean, half, **other):
    ends = {"ci_low": mean - half, "ci_high": mean + half}
    numbers = {"mean": mean, **ends, "n_prompts": 20, "status": "ok"}
    return KEY | {"model": model, "quantity": quantity, "layer": layer} | numbers | other


@pytest.fixture
def means():
    return pd.DataFrame([
        row("bf16", "gradient_cosine", 1, 0.997, 0.001),
        row("nf4", "gradient_cosine", 1, 0.63, 0.06),
        row("nf4", "gradient_cosine", 30, 0.95, 0.01),
        row("nf4", "residual_cosine", 1, 0.1, 0.01),
        row("nf4", "best_token_agrees", None, 0.8, 0.1),
        row("bf16", "best_token_agrees", None, 0.95, 0.1),
        row("fp32", "gradient_cosine", 1, 0.2, 0.1, condition="happy", reference="fp32"),
        row("nf4", "gradient_cosine", 1, 0.3, 0.1, prompt_set="other"),
    ]).astype({"layer": "Int64"})  # fmt: skip


def test_the_sentence_has_model_depth_number_interval_and_n(means):
    assert least_agreement(means, "s") == (
        "On s, the gradients of nf4 agree least with those of fp32 at residual 1: cosine 0.63 [0.57, 0.69], 20 prompts"
        "; the best next token is the same on 80 % of them."
    )


def test_nothing_is_said_where_models_agree_or_cannot_be_compared(means):
    alike = means[(means["prompt_set"] == "s") & (means["model"] == "bf16")].assign(mean=0.9995, ci_high=0.9999)
    assert least_agreement(alike, "s") == ""
    assert least_agreement(means, "no such set") == ""
    assert least_agreement(means.assign(status="not comparable: 5 blocks, the reference has 2"), "s") == ""
    assert least_agreement(means.iloc[:0], "s") == ""


def test_conditions_are_not_models(means):
    assert least_agreement(means[means["model"] == "fp32"], "s") == ""


def test_without_predictions_the_sentence_ends_earlier(means):
    alone = means[means["quantity"] != "best_token_agrees"]
    assert least_agreement(alone, "s").endswith("cosine 0.63 [0.57, 0.69], 20 prompts.")
