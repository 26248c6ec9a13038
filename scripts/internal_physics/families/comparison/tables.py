"""The table of comparisons: a steering condition against the baseline."""

from internal_physics.tables.columns import OF_QUANTITY, OF_SET, STATUS, TEXT, WATCHED_TOKEN, Column, p_value
from internal_physics.tables.keys import SET_KEY
from internal_physics.tables.table import Table

COMPARISONS = Table(
    "comparisons",
    columns=OF_SET
    | {
        "metric": Column(TEXT, "", "the metric that the quantity belongs to, or loss"),
        "quantity": Column(TEXT, "", "the metric's score, a quantity along depth, or loss_nats"),
        "token": WATCHED_TOKEN,
        "layer": Column(
            "Int64",
            "block",
            "block or residual position, as in `layers`; empty for a number of the whole prompt",
            low=0,
        ),
        "measure": Column(
            TEXT,
            "",
            "difference, absolute_difference or percent_change against the baseline",
            allowed=("difference", "absolute_difference", "percent_change"),
        ),
        "baseline": Column("float64", OF_QUANTITY, "mean over prompts in the baseline"),
        "steered": Column("float64", OF_QUANTITY, "mean over the same prompts in the condition"),
        "value": Column(
            "float64",
            f"{OF_QUANTITY}; percent_change: percent",
            "mean difference, mean absolute difference, or difference of the means in percent of the baseline's size",
        ),
        "ci_low": Column("float64", "as value", "lower end of the paired BCa bootstrap interval over prompts"),
        "ci_high": Column("float64", "as value", "upper end of the interval"),
        "p": p_value("two-sided sign-flip p-value of a difference, not adjusted; empty for the other measures"),
        "n_prompts": Column("int64", "prompts", "prompts that have the number in both", low=0),
        "interval_status": Column(TEXT, "", "ok, or why there is no interval; ISF, one number of a set, has none"),
        "status": STATUS,
    },
    key=[*SET_KEY, "metric", "quantity", "token", "layer", "measure"],
    finite=("value",),
    finite_under={"interval_status": ("ci_low", "ci_high")},
)
