"""What another precision or checkpoint changes inside, in a sentence: table agreement_means → findings. Pure."""

import math
from collections.abc import Mapping

import pandas as pd

from internal_physics.families.agreement.tables import AGREEMENT_MEANS
from internal_physics.families.finding import Finding
from internal_physics.ground.names import BASELINE
from internal_physics.ground.status import OK
from internal_physics.ground.words import plural

QUANTITY = "gradient_cosine"
NOT_WORTH_SAYING = 0.999  # an interval that reaches this cosine: nothing that a reader would call a change
FIGURE = "agreement_profile"


def findings(tables: Mapping[str, pd.DataFrame]) -> list[Finding]:
    """At most one: the least agreement between models, on the prompt set with the most prompts (the first of those).

    Args:
        tables: with `agreement_means`; without it, or with an empty one, nothing is found.
    """
    means = tables.get(AGREEMENT_MEANS.name)
    if means is None or (gradients := _between_models(means)).empty:
        return []
    found = least_agreement(means, str(gradients.loc[gradients["n_prompts"].idxmax(), "prompt_set"]))
    return [found] if found else []


def least_agreement(agreement_means: pd.DataFrame, prompt_set: str) -> Finding | None:
    """The model and depth at which residual gradients agree least with the reference on a prompt set.

    Args:
        agreement_means: the table.
        prompt_set: one of its prompt sets.

    Returns:
        The mean cosine with its interval and the number of prompts; in the sentence the share of equal best tokens too.
        None where there is nothing to say: no comparable models, no interval, or agreement up to a cosine of 0.999.
        The depth is chosen for its mean, so that its interval is that of one depth, not of the choice.
    """
    here = agreement_means[agreement_means["prompt_set"] == prompt_set]
    gradients = _between_models(here)
    if gradients.empty:
        return None
    least = gradients.loc[gradients["mean"].idxmin()]
    if least["ci_high"] >= NOT_WORTH_SAYING:
        return None
    value, low, high, n = (least[name] for name in ("mean", "ci_low", "ci_high", "n_prompts"))
    sentence = (
        f"On {prompt_set}, the gradients of {least['model']} agree least with those of {least['reference']} at "
        f"residual {least['layer']}: cosine {value:.2f} [{low:.2f}, {high:.2f}], {plural(int(n), 'prompt')}"
        f"{_best_tokens(here, least)}."
    )
    numbers = float(value), float(low), float(high), int(n)
    return Finding(sentence, *numbers, f"{FIGURE}-{prompt_set}", AGREEMENT_MEANS.name)


def _between_models(means: pd.DataFrame) -> pd.DataFrame:
    """Rows of the gradients' cosine in the baseline that have an interval."""
    is_shown = (means["quantity"] == QUANTITY) & (means["status"] == OK) & (means["condition"] == BASELINE)
    return means[is_shown & (means["reference"] != means["model"])]


def _best_tokens(means: pd.DataFrame, pair: pd.Series) -> str:
    same = means[["model", "reference", "condition"]] == pair[["model", "reference", "condition"]]
    shares = means.loc[same.all(axis=1) & (means["quantity"] == "best_token_agrees"), "mean"]
    if shares.empty or not math.isfinite(shares.iat[0]):
        return ""
    return f"; the best next token is the same on {100 * shares.iat[0]:.0f} % of them"
