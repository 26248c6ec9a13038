"""Rule residual_gain_result: one JSON per model, in the format of the published result file, for comparison with it."""

import math
from collections import Counter
from typing import Any

import pandas as pd

from internal_physics.families.residual_gain.verdicts import ALL_SETS, PUBLISHED_P, PUBLISHED_R

EXPERIMENT = "residual_gain_vs_entropy"
VARIANT = "whole"  # the published norm runs over all positions
RULE = (
    f"supported: Pearson r > {PUBLISHED_R} and p < {PUBLISHED_P}; inverse: r < -{PUBLISHED_R} and p < {PUBLISHED_P}; "
    "else inconclusive (p by Student's t)"
)


def published_result(rows: pd.DataFrame, hypotheses: pd.DataFrame, prompts: pd.DataFrame, model: str) -> dict[str, Any]:
    """The result of one model.

    Args:
        rows: of the metric residual_gain for this model and the condition baseline.
        hypotheses: table `hypotheses`.
        prompts: rows of table `prompts_read` for this model.
        model: its name.

    Returns:
        Plain types: experiment, model, prompts {text, difficulty}, results {last_gain, entropy (nats), expands, gains,
        top_tokens}, correlation and conclusion over all prompts; beside the published keys, `by_prompt_set` holds the
        last two for each set alone. A prompt goes by its name, or by set/name where two sets share one. Numbers that
        are not finite are null.
    """
    prompts = prompts.fillna({"difficulty": ""})
    keys = _short_keys(prompts)
    tests = hypotheses[
        (hypotheses["model"] == model) & (hypotheses["condition"] == "baseline") & (hypotheses["variant"] == VARIANT)
    ]
    groups = rows.groupby(["prompt_set", "prompt"], sort=False)
    return {
        "experiment": EXPERIMENT,
        "model": model,
        "prompts": {
            keys[row.prompt_set, row.prompt]: {"text": row.text, "difficulty": row.difficulty}
            for row in prompts.itertuples()
        },
        "results": {keys[place]: _result(group) for place, group in groups},
        **_conclusion(tests, ALL_SETS),
        "rule": RULE,
        "by_prompt_set": {prompt_set: _conclusion(tests, prompt_set) for prompt_set in prompts["prompt_set"].unique()},
    }


def _short_keys(prompts: pd.DataFrame) -> dict[tuple[str, str], str]:
    counts = Counter(prompts["prompt"])
    places = zip(prompts["prompt_set"], prompts["prompt"], strict=True)
    return {(s, name): name if counts[name] == 1 else f"{s}/{name}" for s, name in places}


def _result(group: pd.DataFrame) -> dict[str, Any]:
    of_prompt = group[group["layer"].isna() & group["rank"].isna()].set_index("quantity")["value"]
    gains = group[group["quantity"] == f"residual_gain_{VARIANT}"].sort_values("layer")["value"]
    tokens = group[group["quantity"] == "top_token"].sort_values("rank")
    last_gain = _finite(of_prompt[f"last_gain_{VARIANT}"])
    return {
        "last_gain": last_gain,
        "entropy": _finite(of_prompt["next_token_entropy_nats"]),
        "expands": None if last_gain is None else last_gain > 1,
        "gains": [_finite(gain) for gain in gains],
        "top_tokens": [{"token": row.text, "probability": _finite(row.value)} for row in tokens.itertuples()],
    }


def _conclusion(tests: pd.DataFrame, prompt_set: str) -> dict[str, Any]:
    """Correlations over the prompts of a set, with the published p-values first and ours beside them."""
    of_set = tests[(tests["prompt_set"] == prompt_set) & (tests["hypothesis"] == "entropy_gain")]
    pearson, spearman = (of_set[of_set["statistic"] == name].iloc[0] for name in ("pearson_r", "spearman_rho"))
    correlation: dict[str, Any] = {"n": int(pearson["n"])}
    for name, row in (("pearson", pearson), ("spearman", spearman)):
        correlation |= {
            f"{name}_r": _finite(row["value"]),
            f"{name}_p": _finite(row["p_parametric"]),
            f"{name}_permutation_p": _finite(row["p"]),
        }
    return {"correlation": correlation | {"status": pearson["status"]}, "conclusion": pearson["verdict_published"]}


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
