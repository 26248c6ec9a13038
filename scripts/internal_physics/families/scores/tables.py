"""The tables that all metrics share: scores, their normalized form, prompts, layers and correlations.

Each metric declares in its family whether it has rows in `scores` and `layers`, and the ranges of its values.
"""

from internal_physics.tables.columns import (
    IN_UNIT,
    NOTES,
    OF_PROMPT,
    OF_QUANTITY,
    OF_SET,
    STATUS,
    TARGET,
    TARGETS,
    TEXT,
    UNIT_OF_VALUES,
    Column,
    p_value,
)
from internal_physics.tables.keys import PROMPT_KEY, SET_KEY
from internal_physics.tables.table import Table

_METRIC = Column(TEXT, "", "ec, isc, isg, isa, isf, or a median over the weights such as temperature_query")


def _correlation(meaning: str) -> Column:
    return Column("float64", "1", meaning, low=-1, high=1)


SCORES = Table(
    "scores",
    columns=OF_SET
    | {
        "metric": _METRIC,
        "unit": UNIT_OF_VALUES,
        "value": Column("float64", IN_UNIT, "mean over the prompts of the set; ISF is one number of the set"),
        "ci_low": Column(
            "float64",
            IN_UNIT,
            "lower end of the interval over prompts (ISF: jackknife, others: BCa bootstrap)",
        ),
        "ci_high": Column("float64", IN_UNIT, "upper end of the interval"),
        "n_prompts": Column("int64", "prompts", "prompts that the value rests on", low=0),
        "target": TARGET,
        "status": STATUS,
    },
    key=[*SET_KEY, "metric"],
    finite=("value", "ci_low", "ci_high"),
    quantity_column="metric",
    members=("metric",),
)

ALONE = "one model: nothing to compare with"
SCORES_NORMALIZED = Table(
    "scores_normalized",
    columns=OF_SET
    | {
        "metric": _METRIC,
        "unit": UNIT_OF_VALUES,
        "score": Column(
            "float64",
            "0 to 1",
            "1/(value + 1e-9), stretched between the values at 0 and at 1; 0.5 where all models are equal",
            low=0,
            high=1,
        ),
        "value_at_0": Column("float64", IN_UNIT, "value with score 0: largest of the models, or of score_scale"),
        "value_at_1": Column("float64", IN_UNIT, "value with score 1: smallest of the models, or of score_scale"),
        "n_prompts": Column("int64", "prompts", "prompts that the score's value rests on", low=0),
        "status": STATUS,
    },
    key=[*SET_KEY, "metric"],
    finite=("score",),
    quantity_column="metric",
    members=("metric",),
    by_definition=(ALONE,),
)

PROMPTS = Table(
    "prompts",
    columns=OF_PROMPT
    | NOTES
    | {
        "n_tokens": Column("int64", "tokens", "length of the prompt as the model reads it", low=1),
        "loss_nats": Column(
            "float64",
            "nats per predicted token",
            "mean negative log-likelihood per predicted token, whatever the target; none for a prompt of one token",
            low=0,
        ),
        **TARGETS,
        "ec": Column("float64", "1", "mean relative change of the gradient over blocks", low=0),
        "isc": Column(
            "float64",
            "1 / residual unit",
            "sum over blocks of the gradient norm, per nat of loss; none for another target",
            low=0,
        ),
        "isg": Column("float64", "1", "coefficient of variation over blocks of the relative change", low=0),
        "isa": Column("float64", "1", "standard deviation over blocks of the gradient cosine", low=0, high=1),
        "status": STATUS,
    },
    key=PROMPT_KEY,
    finite=("loss_nats",),
    members=("prompt",),
)

LAYERS = Table(
    "layers",
    columns=OF_PROMPT
    | {
        "layer": Column(
            "int64",
            "block",
            "block 0..L-1; for gradient_norm and residual_norm the residual position 0..L",
            low=0,
        ),
        "quantity": Column(
            TEXT,
            "",
            "relative_gradient_change, gradient_cosine, gradient_norm, and residual_norm_ and residual_gain_ with "
            "whole, last_position or excluding_first",
        ),
        "value": Column(
            "float64",
            OF_QUANTITY,
            "the quantity at this layer",
        ),
        "status": STATUS,
    },
    key=[*PROMPT_KEY, "layer", "quantity"],
    finite=("value",),
    members=("prompt",),
)

CORRELATIONS = Table(
    "correlations",
    columns={
        "x": Column(TEXT, "", "first quantity"),
        "y": Column(TEXT, "", "second quantity"),
        "level": Column(
            TEXT,
            "",
            "prompt: one observation per prompt; model: one per model",
            allowed=("prompt", "model"),
        ),
        "n": Column("int64", "observations", "pairs the correlation rests on", low=0),
        "pearson_r": _correlation("Pearson correlation"),
        "pearson_p": p_value("two-sided permutation p-value of pearson_r"),
        "spearman_rho": _correlation("Spearman rank correlation"),
        "spearman_p": p_value("two-sided permutation p-value of spearman_rho"),
        "p_adjusted": p_value("pearson_p adjusted within its level for the false-discovery rate (Benjamini-Hochberg)"),
        "status": STATUS,
    },
    key=["x", "y", "level"],
    finite=("pearson_r", "pearson_p", "spearman_rho", "spearman_p", "p_adjusted"),
)
