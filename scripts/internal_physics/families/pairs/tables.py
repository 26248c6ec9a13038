"""The table of pairs: two models on the same prompts."""

from internal_physics.tables.columns import IN_UNIT, MODEL, OF_SET, STATUS, TEXT, UNIT_OF_VALUES, Column, p_value
from internal_physics.tables.keys import SET_KEY
from internal_physics.tables.table import Quantity, Table

ALL_SETS = "all sets"  # prompts of all sets together; no name of a prompt set may have a blank
LOSS = Quantity("loss", low=0, unit="nats per predicted token")  # named as in tables.loss_rows, which needs pandas


def _number(unit: str, meaning: str) -> Column:
    return Column("float64", unit, meaning)


MODEL_PAIRS = Table(
    "model_pairs",
    columns=OF_SET
    | {
        "prompt_set": Column(TEXT, "", "a prompt set, or 'all sets': all prompts together, each text once"),
        "reference": Column(TEXT, MODEL.unit, "the model that `model` is compared with"),
        "metric": Column(TEXT, "", "ec, isc, isg, isa, isf, or loss"),
        "unit": UNIT_OF_VALUES,
        "value": _number(IN_UNIT, "mean of `model` over the prompts that have the number in both models"),
        "reference_value": _number(IN_UNIT, "mean of `reference` over the same prompts"),
        "difference": _number(IN_UNIT, "value - reference_value"),
        "ci_low": _number(IN_UNIT, "lower end of the paired BCa bootstrap interval of the difference"),
        "ci_high": _number(IN_UNIT, "upper end of the interval"),
        "ratio": Column("float64", "1", "value / reference_value; empty where a number is not above 0", low=0),
        "ratio_ci_low": Column("float64", "1", "lower end of the paired BCa bootstrap interval of the ratio", low=0),
        "ratio_ci_high": Column("float64", "1", "upper end of the interval", low=0),
        "p": p_value("two-sided sign-flip p-value of the difference, exact where there are few prompts"),
        "p_adjusted": p_value(
            "p adjusted over all rows of the table for the false-discovery rate (Benjamini-Hochberg)"
        ),
        "n_prompts": Column("int64", "prompts", "prompts that have the number in both models", low=0),
        "test_status": Column(TEXT, "", "ok, or why there is no interval and no p; ISF, one number of a set, has none"),
        "status": STATUS,
    },
    key=[*SET_KEY, "reference", "metric"],
    finite=("value", "reference_value", "difference"),
    finite_under={"test_status": ("ci_low", "ci_high", "p", "p_adjusted")},
    quantity_column="metric",
)
