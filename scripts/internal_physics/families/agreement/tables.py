"""The tables of agreement: every number of every prompt, and means over prompts."""

from internal_physics.families.agreement.statuses import NO_DIRECTION, NO_LOGITS, NOT_RECORDED, ONLY_SKETCHED
from internal_physics.tables.columns import CONDITION, N_PROMPTS, OF_PROMPT, OF_QUANTITY, OF_SET, STATUS, TEXT, Column
from internal_physics.tables.keys import PROMPT_KEY, SET_KEY
from internal_physics.tables.table import Quantity, Table

_REFERENCE = {
    "reference": Column(TEXT, "", "model that it is compared with: the reference, or for a condition the same model"),
    "reference_condition": CONDITION,
}
_NUMBER = {
    "quantity": Column(
        TEXT,
        "",
        "cosine with, or distance relative to, the reference: of residuals, their gradients and weight gradients; "
        "kl_nats, KL(reference ‖ model) of the predictions; kl_at_least_nats, a lower bound, where logits are not "
        "recorded; best_token_agrees",
    ),
    "layer": Column("Int64", "block", "residual 0..L; of a weight its block, -1 before and L after them", low=-1),
    "parameter": Column(TEXT, "", "the weight, in rows of a weight", is_optional=True),
    "kind": Column(TEXT, "", "its kind of map", is_optional=True),
}
_BY_DEFINITION = (NOT_RECORDED, NO_DIRECTION, ONLY_SKETCHED, NO_LOGITS)
_WHERE = ("reference", "reference_condition", *_NUMBER)
_COSINES = ("residual_cosine", "gradient_cosine", "weight_gradient_cosine")
_DISTANCES = ("residual_distance", "gradient_distance", "weight_gradient_distance")
_DIVERGENCES = ("kl_nats", "kl_at_least_nats")
QUANTITIES = (
    *(Quantity(name, low=-1, high=1, metric="agreement") for name in _COSINES),
    *(Quantity(name, low=0, metric="agreement") for name in _DISTANCES),
    *(Quantity(name, low=0, metric="agreement", unit="nats") for name in _DIVERGENCES),
    Quantity("best_token_agrees", low=0, high=1, metric="agreement"),
)

AGREEMENT = Table(
    "agreement",
    columns=OF_PROMPT
    | _REFERENCE
    | _NUMBER
    | {"value": Column("float64", OF_QUANTITY, "the number; best_token_agrees is 1 or 0"), "status": STATUS},
    key=[*PROMPT_KEY, *_WHERE],
    finite=("value",),
    quantities=QUANTITIES,
    by_definition=_BY_DEFINITION,
)

AGREEMENT_MEANS = Table(
    "agreement_means",
    columns=OF_SET
    | _REFERENCE
    | _NUMBER
    | {
        "mean": Column("float64", OF_QUANTITY, "mean over prompts; of best_token_agrees the share of prompts"),
        "ci_low": Column("float64", OF_QUANTITY, "lower end of its interval (bootstrap; Wilson's of a share)"),
        "ci_high": Column("float64", OF_QUANTITY, "upper end of the interval"),
        "n_prompts": N_PROMPTS,
        "status": STATUS,
    },
    key=[*SET_KEY, *_WHERE],
    finite=("mean", "ci_low", "ci_high"),
    by_definition=_BY_DEFINITION,
)
