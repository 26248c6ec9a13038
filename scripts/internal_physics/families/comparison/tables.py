"""Columns of the table of comparisons: a steering condition against the baseline."""

from internal_physics.tables.columns import KEYS, STATUS, TEXT, Column

_LAYER = Column("Int64", "block", "block or residual position, as in `layers`; empty for a number of the whole prompt")

COMPARISON_TABLES: dict[str, dict[str, Column]] = {
    "comparisons": KEYS
    | {
        "metric": Column(TEXT, "", "the metric that the quantity belongs to, or loss"),
        "quantity": Column(TEXT, "", "the metric's score, a quantity along depth, or loss_nats"),
        "layer": _LAYER,
        "measure": Column(TEXT, "", "difference, absolute_difference or percent_change against the baseline"),
        "baseline": Column("float64", "see metric", "mean over prompts in the baseline"),
        "steered": Column("float64", "see metric", "mean over the same prompts in the condition"),
        "value": Column(
            "float64",
            "see metric; percent",
            "mean difference, mean absolute difference, or difference of the means in percent of the baseline's size",
        ),
        "ci_low": Column("float64", "as value", "lower end of the paired BCa bootstrap interval over prompts"),
        "ci_high": Column("float64", "as value", "upper end of the interval"),
        "n_prompts": Column("int64", "prompts", "prompts that have the number in both"),
        "status": STATUS,
    },
}
