"""What another precision or checkpoint changes inside, in a sentence: agreement_means → findings. Pure."""

import math
from collections.abc import Mapping

import pandas as pd

from internal_physics.families.agreement.tables import AGREEMENT_MEANS
from internal_physics.families.finding import Finding, Held, PValues, number
from internal_physics.families.run.precision import with_precision
from internal_physics.families.run.tables import MODELS
from internal_physics.ground.names import BASELINE
from internal_physics.ground.status import OK
from internal_physics.ground.words import plural

QUANTITY = "gradient_cosine"
NOT_WORTH_SAYING = 0.999  # an interval that reaches this cosine: nothing that a reader would call a change
N_OTHERS_NAMED = 4  # more names would fill a screen; training has dozens of checkpoints
FIGURE = "agreement_profile"


def p_values(tables: Mapping[str, pd.DataFrame]) -> PValues:
    """None: a cosine is an estimate with its interval, and one near 1 is not told at all."""
    del tables
    return {}


def findings(tables: Mapping[str, pd.DataFrame], held: Held) -> list[Finding]:
    """At most one: the least agreement between models, on the prompt set with the most prompts (the first of those).

    Of models with another number of parameters than their reference nothing is said: they are no precision, checkpoint
    or fine-tune of it, so that their directions have nothing in common.

    Args:
        tables: with `agreement_means` and `models`.
        held: nothing; see `p_values`.
    """
    del held
    means = tables[AGREEMENT_MEANS.name]
    means = means[_is_akin(means, tables[MODELS.name])]
    if (gradients := _between_models(means)).empty:
        return []
    prompt_set = str(gradients.loc[gradients["n_prompts"].idxmax(), "prompt_set"])
    found = least_agreement(means, tables[MODELS.name], prompt_set)
    return [found] if found else []


def least_agreement(agreement_means: pd.DataFrame, models: pd.DataFrame, prompt_set: str) -> Finding | None:
    """The model and depth at which residual gradients agree least with the reference on a prompt set.

    Args:
        agreement_means: the table.
        models: table `models`.
        prompt_set: one of its prompt sets.

    Returns:
        The mean cosine with its interval and the number of prompts; in the sentence the other models at the same depth
        and the agreement of the predictions too. None where there is nothing to say: no comparable models, no interval,
        or agreement up to a cosine of 0.999. The depth is chosen for its mean, so that its interval is that of one
        depth, not of the choice.
    """
    here = agreement_means[agreement_means["prompt_set"] == prompt_set]
    gradients = _between_models(here)
    if gradients.empty:
        return None
    least = gradients.loc[gradients["mean"].idxmin()]
    if least["ci_high"] >= NOT_WORTH_SAYING:
        return None
    value, low, high, n = (least[name] for name in ("mean", "ci_low", "ci_high", "n_prompts"))
    name = with_precision(models)
    sentence = (
        f"Inside {name(least['model'])}, the gradients agree least with those of {name(least['reference'])} at "
        f"residual {least['layer']} of {gradients['layer'].max()}: cosine {number(value, '.2f')} "
        f"({number(low, '.2f')} to {number(high, '.2f')}; 1 is the same direction), {plural(int(n), 'prompt')} of "
        f"{prompt_set}{_others(gradients, least)}{_predictions(here, least)}."
    )
    numbers = float(value), float(low), float(high), int(n)
    return Finding(sentence, *numbers, f"{FIGURE}-{prompt_set}", AGREEMENT_MEANS.name)


def _is_akin(means: pd.DataFrame, models: pd.DataFrame) -> pd.Series:
    """Whether model and reference have the same number of parameters."""
    n_parameters = models.set_index("model")["n_parameters"]
    return means["model"].map(n_parameters) == means["reference"].map(n_parameters)


def _between_models(means: pd.DataFrame) -> pd.DataFrame:
    """Rows of the gradients' cosine in the baseline that have an interval."""
    is_shown = (means["quantity"] == QUANTITY) & (means["status"] == OK) & (means["condition"] == BASELINE)
    return means[is_shown & (means["reference"] != means["model"])]


def _others(gradients: pd.DataFrame, least: pd.Series) -> str:
    """' (there bf16 0.997)': the other models against the same reference at the same depth; of many, their range."""
    same = (gradients["reference"] == least["reference"]) & (gradients["layer"] == least["layer"])
    rows = gradients[same & (gradients["model"] != least["model"])]
    if len(rows) > N_OTHERS_NAMED:
        smallest, largest = (number(value, ".3f") for value in (rows["mean"].min(), rows["mean"].max()))
        return f" (there {len(rows)} other models {smallest} to {largest})"
    told = [f"{row.model} {number(row.mean, '.3f')}" for row in rows.itertuples()]
    return f" (there {', '.join(told)})" if told else ""


def _predictions(means: pd.DataFrame, pair: pd.Series) -> str:
    """'; both predict the same next token on 80 % of them, with a KL divergence of 0.12 nats'."""
    same = means[["model", "reference", "condition"]] == pair[["model", "reference", "condition"]]
    found = means[same.all(axis=1)].set_index("quantity")["mean"]
    share, kl = (float(found.get(name, math.nan)) for name in ("best_token_agrees", "kl_nats"))
    said = f"; both predict the same next token on {100 * share:.0f} % of them" if math.isfinite(share) else ""
    return f"{said}, with a KL divergence of {kl:.2g} nats" if said and math.isfinite(kl) else said
