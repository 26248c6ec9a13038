"""One sentence from the table `agreement_means`: where a model agrees least with its reference inside."""

import math

import pandas as pd

from internal_physics.ground.names import BASELINE
from internal_physics.ground.status import OK
from internal_physics.ground.words import plural

QUANTITY = "gradient_cosine"
NOT_TOLD_APART = 0.999  # an interval that reaches this cosine: nothing that a reader would call a change


def least_agreement(agreement_means: pd.DataFrame, prompt_set: str) -> str:
    """The model and depth at which residual gradients agree least with the reference on a prompt set, as one sentence.

    Args:
        agreement_means: the table.
        prompt_set: one of its prompt sets.

    Returns:
        A sentence with the mean cosine, its interval, the number of prompts, and the share of equal best tokens; ""
        where there is nothing to say: no comparable models, no interval, or agreement up to a cosine of 0.999. The
        depth is chosen for its mean, so that its interval is that of one depth, not of the choice.
    """
    rows = agreement_means[
        (agreement_means["prompt_set"] == prompt_set)
        & (agreement_means["condition"] == BASELINE)
        & (agreement_means["reference"] != agreement_means["model"])
    ]
    gradients = rows[(rows["quantity"] == QUANTITY) & (rows["status"] == OK)]
    if gradients.empty:
        return ""
    least = gradients.loc[gradients["mean"].idxmin()]
    if least["ci_high"] >= NOT_TOLD_APART:
        return ""
    n_prompts = plural(int(least["n_prompts"]), "prompt")
    return (
        f"On {prompt_set}, the gradients of {least['model']} agree least with those of {least['reference']} at "
        f"residual {least['layer']}: cosine {_with_interval(least)}, {n_prompts}{_best_tokens(rows, least['model'])}."
    )


def _best_tokens(rows: pd.DataFrame, model: str) -> str:
    found = rows[(rows["quantity"] == "best_token_agrees") & (rows["model"] == model)]
    if found.empty or not math.isfinite(found["mean"].iat[0]):
        return ""
    return f"; the best next token is the same on {100 * found['mean'].iat[0]:.0f} % of them"


def _with_interval(row: pd.Series) -> str:
    return f"{row['mean']:.2f} [{row['ci_low']:.2f}, {row['ci_high']:.2f}]"
