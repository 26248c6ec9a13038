"""The tables of residual gain: gains of every prompt, and the hypotheses about them."""

from internal_physics.families.residual_gain.variants import VARIANTS
from internal_physics.tables.columns import CONDITION, MODEL, OF_PROMPT, STATUS, TEXT, Column
from internal_physics.tables.keys import PROMPT_KEY, SET_KEY
from internal_physics.tables.table import Table

_VARIANT = Column(
    TEXT,
    "",
    "positions that the norm runs over: whole (all), last_position (where the prediction is read) or excluding_first",
    allowed=VARIANTS,
)

GAINS = Table(
    "gains",
    columns=OF_PROMPT
    | {
        "kind": Column(TEXT, "", "kind of the prompt, as its prompt set says, or 'not given'"),
        "difficulty": Column(TEXT, "", "difficulty of the prompt, as its prompt set says, or 'not given'"),
        "variant": _VARIANT,
        "last_gain": Column("float64", "1", "‖residual[L]‖ / ‖residual[L-1]‖, before the final norm", low=0),
        "log_cumulative_gain": Column("float64", "1", "natural logarithm of the product of all blocks' gains"),
        "expands": Column("boolean", "", "whether the last gain is above 1; empty where it is unknown"),
        "entropy_nats": Column("float64", "nats", "Shannon entropy of the predicted next token", low=0),
        "top_token": Column(TEXT, "", "the most probable next token; empty where the prediction is not finite"),
        "top_token_probability": Column("float64", "1", "its probability", low=0, high=1),
        "status": STATUS,
    },
    key=[*PROMPT_KEY, "variant"],
    finite=("last_gain", "log_cumulative_gain", "entropy_nats"),
    members=("prompt", "variant"),
)

HYPOTHESES = Table(
    "hypotheses",
    columns={
        "model": MODEL,
        "condition": CONDITION,
        "prompt_set": Column(TEXT, "", "a prompt set, or 'all sets': all prompts together, each text once"),
        "variant": _VARIANT,
        "hypothesis": Column(TEXT, "", "entropy_gain, contraction, nested_grammar or contrast"),
        "x": Column(TEXT, "", "first quantity or kind of prompt"),
        "y": Column(TEXT, "", "second quantity or kind; neutral (gain 1) for contraction"),
        "statistic": Column(TEXT, "", "pearson_r, spearman_rho, mean_last_gain, ratio_of_means or cliffs_delta"),
        "value": Column("float64", "1", "the statistic; of contrasts above 0 where the last gain of x is higher"),
        "ci_low": Column("float64", "1", "lower end of the bootstrap interval over prompts (BCa)"),
        "ci_high": Column("float64", "1", "upper end of the interval"),
        "n": Column("int64", "prompts", "prompts that the row rests on", low=0),
        "n_x": Column("int64", "prompts", "of them, with a value of x", low=0),
        "n_y": Column("int64", "prompts", "of them, with a value of y", low=0),
        "p": Column(
            "float64", "1", "two-sided permutation p-value; contraction is judged by its interval alone", low=0, high=1
        ),
        "p_adjusted": Column(
            "float64",
            "1",
            "p adjusted for the false-discovery rate (Benjamini-Hochberg) over all models, variants and pairs of one "
            "hypothesis and statistic; 'all sets' apart from single sets",
            low=0,
            high=1,
        ),
        "p_parametric": Column(
            "float64", "1", "two-sided p-value by Student's t, which the published rule takes", low=0, high=1
        ),
        "verdict_published": Column(
            TEXT,
            "",
            "entropy_gain: supported if r > 0.5 and p_parametric < 0.1, inverse if r < -0.5 and p_parametric < 0.1, "
            "else inconclusive; contraction: mean below 1; nested_grammar: supported if both kinds contract and the "
            "ratio is within 0.3 of 1",
        ),
        "verdict": Column(
            TEXT,
            "",
            "entropy_gain and contrast: p_adjusted < 0.05 and an interval that excludes 0; contraction: an interval on "
            "one side of 1; nested_grammar: both contract and the ratio's interval lies within 0.3 of 1",
        ),
        "status": STATUS,
    },
    key=[*SET_KEY, "variant", "hypothesis", "x", "y", "statistic"],
    finite=("value", "ci_low", "ci_high"),
    group=("model", "condition"),  # hypotheses are tested over all sets of a model and condition
    members=("variant",),
)
