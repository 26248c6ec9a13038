"""Verdicts of the table `hypotheses` in plain sentences, for captions and notes. Each names its n and its rule."""

import math
from collections.abc import Mapping

import pandas as pd

from internal_physics.families.residual_gain.verdicts import ALL_SETS, NESTED_KINDS

VARIANT_NAMES = {
    "whole": "whole stream",
    "last_position": "last position",
    "excluding_first": "first position left out",
}
RULES = (
    "Verdict: adjusted p < 0.05 and an interval that excludes 0, else inconclusive. "
    "Published rule: |r| > 0.5 and p < 0.1."
)
_MINUS = "\N{MINUS SIGN}"


def caption_facts(tables: Mapping[str, pd.DataFrame], name: str) -> dict[str, str]:
    """Placeholders for the caption of a figure.

    Args:
        tables: with `hypotheses`.
        name: the model of the figure, or "" for a figure of all models.

    Returns:
        verdicts and nested of one model; or all_verdicts, over the models.
    """
    hypotheses = tables["hypotheses"]
    if not name:
        return {"all_verdicts": summary_over_models(hypotheses)}
    nested = " ".join(nested_sentence(hypotheses, name, variant) for variant in VARIANT_NAMES)
    return {"verdicts": variants_sentence(hypotheses, name), "nested": nested}


def variant_title(hypotheses: pd.DataFrame, model: str, variant: str, condition: str = "baseline") -> str:
    """Title of a panel of entropy against last gain, in three lines: the norm, the verdict, r with its adjusted p."""
    row = _pearson(hypotheses, model, variant, condition)
    about = f"Last gain against uncertainty,\n{VARIANT_NAMES[variant]}: {row['verdict']}"
    if not math.isfinite(row["value"]):
        return about
    return f"{about}\n{_statistic('r', row, with_interval=False)}"


def variants_sentence(hypotheses: pd.DataFrame, model: str, condition: str = "baseline") -> str:
    """The verdict on entropy against last gain for each variant of the norm."""
    found = []
    for variant, name in VARIANT_NAMES.items():
        row = _pearson(hypotheses, model, variant, condition)
        text = _statistic("r", row) if math.isfinite(row["value"]) else row["status"]
        found.append(f"{name}: {row['verdict']} (n = {row['n']}, {text}; published rule: {row['verdict_published']})")
    return _sentence("; ".join(found))


def nested_sentence(hypotheses: pd.DataFrame, model: str, variant: str = "whole", condition: str = "baseline") -> str:
    """The verdict on nested grammar: do nested sentences and facts both contract, and similarly?"""
    row = _rows(hypotheses, "nested_grammar", model, variant, condition).iloc[0]
    sizes = f"{row['n_x']} {NESTED_KINDS[0]} and {row['n_y']} {NESTED_KINDS[1]} prompts"
    if not math.isfinite(row["value"]):
        return f"{VARIANT_NAMES[variant].capitalize()}: not tested ({row['status']})."
    return (
        f"{VARIANT_NAMES[variant].capitalize()}: {row['verdict']} ({sizes}, "
        f"{_statistic('ratio of mean last gains', row)}; published rule: {row['verdict_published']})."
    )


def summary_over_models(hypotheses: pd.DataFrame, condition: str = "baseline") -> str:
    """How many models give which verdict on entropy against last gain, by variant, with the n of the prompts."""
    rows = hypotheses[
        (hypotheses["statistic"] == "pearson_r")
        & (hypotheses["prompt_set"] == ALL_SETS)
        & (hypotheses["condition"] == condition)
    ]
    found = []
    for variant, name in VARIANT_NAMES.items():
        counts = rows.loc[rows["variant"] == variant, "verdict"].value_counts()
        found.append(f"{name}: " + ", ".join(f"{verdict} in {n}" for verdict, n in counts.items()))
    low, high = int(rows["n"].min()), int(rows["n"].max())
    n = f"{low}" if low == high else f"{low} to {high}"
    return _sentence(f"{'; '.join(found)} of {rows['model'].nunique()} models (n = {n} prompts each)")


def _rows(hypotheses: pd.DataFrame, hypothesis: str, model: str, variant: str, condition: str) -> pd.DataFrame:
    return hypotheses[
        (hypotheses["hypothesis"] == hypothesis)
        & (hypotheses["model"] == model)
        & (hypotheses["variant"] == variant)
        & (hypotheses["condition"] == condition)
    ]


def _pearson(hypotheses: pd.DataFrame, model: str, variant: str, condition: str) -> pd.Series:
    """The correlation of entropy with last gain over the prompts of all sets."""
    rows = _rows(hypotheses, "entropy_gain", model, variant, condition)
    return rows[(rows["prompt_set"] == ALL_SETS) & (rows["statistic"] == "pearson_r")].iloc[0]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _statistic(name: str, row: pd.Series, *, with_interval: bool = True) -> str:
    has_ends = with_interval and math.isfinite(row["ci_low"])
    ends = f" [{row['ci_low']:.2f}, {row['ci_high']:.2f}]" if has_ends else ""
    p = row["p_adjusted"]
    p_text = "" if math.isnan(p) else ", adjusted p < 0.001" if p < 0.001 else f", adjusted p = {p:.3f}"
    return f"{name} = {row['value']:.2f}{ends}".replace("-", _MINUS) + p_text
