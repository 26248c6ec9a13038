"""The tables of the logit lens: information per layer, and predictions."""

from internal_physics.tables.columns import OF_PROMPT, STATUS, TEXT, Column
from internal_physics.tables.keys import PROMPT_KEY
from internal_physics.tables.table import Quantity, Table

QUANTITIES = (
    Quantity("entropy_nats", low=0),
    Quantity("perplexity", low=1),
    Quantity("margin", low=0),
    Quantity("kl_uniform_nats", low=0),
    Quantity("surprisal_nats", low=0),
    Quantity("attention_entropy_nats", low=0),
    Quantity("attention_sink_mass", low=0, high=1),
    Quantity("kl_final_nats", low=0),
    Quantity("final_token_rank", low=1),
    Quantity("final_token_probability", low=0, high=1),
    Quantity("mean_entropy_nats", low=0),
    Quantity("mean_surprisal_nats", low=0),
    Quantity("settled_layer", low=0),
    Quantity("probability of ", low=0, high=1, is_prefix=True),
)

INFORMATION = Table(
    "information",
    columns=OF_PROMPT
    | {
        "layer": Column("int64", "residual", "residual position 0..L; attention_…: block 0..L-1", low=0),
        "quantity": Column(
            TEXT,
            "",
            "at the read position (last token, or [MASK]): entropy_nats, perplexity, margin, kl_uniform_nats, "
            "surprisal_nats (of the answer at a [MASK]; of a causal model's next token, mean over the positions that "
            "have one), attention_entropy_nats (mean over heads; a sink, where there is one, is an outcome of its own) "
            "and attention_sink_mass (its share, 0 to 1), kl_final_nats (of the model's prediction from the layer's), "
            "final_token_rank and final_token_probability (of the model's best token). mean_entropy_nats and "
            "mean_surprisal_nats: mean over positions. settled_layer (one per prompt, at l = L): from which on that "
            "token stays on top",
        ),
        "value": Column(
            "float64", "nats; perplexity, rank: tokens; margin: logits; mass: 1", "the quantity at this residual"
        ),
        "status": STATUS,
    },
    key=[*PROMPT_KEY, "layer", "quantity"],
    finite=("value",),
    quantities=QUANTITIES,
    members=("prompt",),
)

PREDICTIONS = Table(
    "predictions",
    columns=OF_PROMPT
    | {
        "Sentence": Column(TEXT, "", "the prompt's text"),
        "Token": Column(TEXT, "", "a predicted token: next, or at the [MASK]"),
        "Probability": Column("float64", "1", "its probability at the temperature of the config", low=0, high=1),
        "Analysis": Column(TEXT, "", "standard (baseline) or control (any other condition)"),
        "rank": Column("int64", "", "from 1: by probability, or the order in which tokens were drawn", low=1),
        "status": STATUS,
    },
    key=[*PROMPT_KEY, "rank"],
    finite=("Probability",),
    members=("prompt",),
)
