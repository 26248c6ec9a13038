"""The finding on agreement: it has the numbers of the table, and is left out without a difference."""

import pandas as pd
import pytest
from internal_physics.families.agreement.findings import findings, least_agreement, p_values

KEY = {"condition": "baseline", "prompt_set": "s", "reference": "fp32", "reference_condition": "baseline"}

MODELS = pd.DataFrame(
    {"model": ["fp32", "bf16", "nf4"], "quantization": ["none", "none", "nf4"], "bits": [32, 16, 4], "n_parameters": 9}
)  # fmt: skip


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
        row("nf4", "kl_nats", None, 0.1234, 0.01),
        row("bf16", "best_token_agrees", None, 0.95, 0.1),
        row("fp32", "gradient_cosine", 1, 0.2, 0.1, condition="happy", reference="fp32"),
        row("nf4", "gradient_cosine", 1, 0.3, 0.1, prompt_set="other"),
    ]).astype({"layer": "Int64"})  # fmt: skip


def test_the_sentence_has_model_depth_number_interval_and_n(means):
    found = least_agreement(means, MODELS, "s")
    assert found.sentence == (
        "Inside nf4 (quantised to 4 bits), the gradients agree least with those of fp32 at residual 1 of 30: cosine "
        "0.63 (0.57 to 0.69; 1 is the same direction), 20 prompts of s (there bf16 0.997); both predict the same next "
        "token on 80 % of them, with a KL divergence of 0.12 nats."
    )
    assert (found.value, found.ci_low, found.ci_high, found.n) == pytest.approx((0.63, 0.57, 0.69, 20))
    assert (found.figure, found.table) == ("agreement_profile-s", "agreement_means")


def test_the_finding_is_about_the_set_with_the_most_prompts(means):
    few = means["prompt_set"] == "s"
    means.loc[few, "n_prompts"] = 5
    assert [found.figure for found in findings({"agreement_means": means, "models": MODELS}, {})] == [
        "agreement_profile-other"
    ]
    empty = {"agreement_means": means.iloc[:0], "models": MODELS}
    assert findings(empty, {}) == []
    assert p_values(empty) == {}


def test_there_is_no_finding_if_models_agree_or_cannot_be_compared(means):
    alike = means[(means["prompt_set"] == "s") & (means["model"] == "bf16")].assign(mean=0.9995, ci_high=0.9999)
    assert least_agreement(alike, MODELS, "s") is None
    assert least_agreement(means, MODELS, "no such set") is None
    apart = means.assign(status="not comparable: 5 blocks, the reference has 2")
    assert findings({"agreement_means": apart, "models": MODELS}, {}) == []


def test_nothing_is_said_of_models_with_another_number_of_parameters(means):
    other = MODELS.assign(n_parameters=[9, 9, 8])
    (found,) = findings({"agreement_means": means[means["prompt_set"] == "s"], "models": other}, {})
    assert found.sentence.startswith("Inside bf16,")


def test_of_many_other_models_the_range_is_said(means):
    bf16 = means[(means["model"] == "bf16") & (means["quantity"] == "gradient_cosine")]
    many = pd.concat([means, *(bf16.assign(model=f"m{n}", mean=0.9 + n / 100) for n in range(4))])
    models = pd.concat([MODELS, *(MODELS[MODELS["model"] == "bf16"].assign(model=f"m{n}") for n in range(4))])
    assert "20 prompts of s (there 5 other models 0.900 to 0.997); both" in least_agreement(many, models, "s").sentence
    few = many[many["model"] != "m3"]
    assert "(there bf16 0.997, m0 0.900, m1 0.910, m2 0.920)" in least_agreement(few, models, "s").sentence


def test_a_negative_cosine_has_a_minus_sign(means):
    opposite = means[means["prompt_set"] == "s"].assign(mean=-0.5, ci_low=-0.6, ci_high=-0.4)
    assert "cosine −0.50 (−0.60 to −0.40;" in least_agreement(opposite, MODELS, "s").sentence


def test_conditions_are_not_models(means):
    assert least_agreement(means[means["model"] == "fp32"], MODELS, "s") is None


def test_without_predictions_the_sentence_ends_earlier(means):
    alone = means[~means["quantity"].isin(["best_token_agrees", "kl_nats"])]
    assert least_agreement(alone, MODELS, "s").sentence.endswith("(there bf16 0.997).")
    bound = means.replace({"quantity": {"kl_nats": "kl_at_least_nats"}})
    assert least_agreement(bound, MODELS, "s").sentence.endswith("on 80 % of them.")
