"""The tables of the logit lens: information per layer, and predictions."""

from internal_physics.families.information.followed_names import FOLLOWED
from internal_physics.families.information.quantities import QUANTITIES
from internal_physics.tables.columns import (
    N_PROMPTS,
    OF_PROMPT,
    OF_QUANTITY,
    OF_SET,
    STATUS,
    TEXT,
    WATCHED_TOKEN,
    Column,
)
from internal_physics.tables.keys import PROMPT_KEY, SET_KEY
from internal_physics.tables.table import Table

ALL_KINDS = "all kinds"
NO_KIND = "not given"

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
            "final_token_rank and final_token_probability (of the model's best token), answer_rank, answer_probability "
            "and answer_margin_nats (of the prompt's answer, else of the model's best token; margin: ln p minus that "
            "of the best other token). mean_entropy_nats and mean_surprisal_nats: mean over positions. settled_layer "
            "(one per prompt, at l = L): the residual from which the model's best token stays on top. probability: of "
            "the token in column token",
        ),
        "token": WATCHED_TOKEN,
        "value": Column(
            "float64",
            OF_QUANTITY,
            "the quantity at this residual",
        ),
        "status": STATUS,
    },
    key=[*PROMPT_KEY, "layer", "quantity", "token"],
    finite=("value",),
    quantities=QUANTITIES,
    members=("prompt",),
)

PREDICTIONS = Table(
    "predictions",
    columns=OF_PROMPT
    | {
        "text": Column(TEXT, "", "the prompt's text"),
        "token": Column(TEXT, "", "a predicted token: next, or at the [MASK]"),
        "probability": Column("float64", "1", "its probability at the temperature of the config", low=0, high=1),
        "rank": Column("int64", "", "from 1: by probability, or the order in which tokens were drawn", low=1),
        "status": STATUS,
    },
    key=[*PROMPT_KEY, "rank"],
    finite=("probability",),
    members=("prompt",),
)

_KIND = Column(TEXT, "", "kind of the prompt, as its prompt set says; not given if it says none")
_FOLLOWED = Column(
    TEXT,
    "",
    "answer: the prompt's; own token: the model's best in the end, where no answer can be followed",
    allowed=FOLLOWED,
)

DECIDED = Table(
    "decided",
    columns=OF_PROMPT
    | {
        "kind": _KIND,
        "answer": Column(TEXT, "", "the prompt's answer; empty if it has none", is_optional=True),
        "followed": _FOLLOWED,
        "token": Column(TEXT, "", "the token that is followed along depth: of an answer of several tokens the first"),
        "n_answer_tokens": Column("int64", "tokens", "how many tokens the answer has; 0 where none is followed", low=0),
        "settled_layer": Column(
            "Int64",
            "residual",
            "the residual l from which the token stays on top; empty if it is not on top in the end",
            low=0,
        ),
        "settled_depth": Column(
            "float64", "1", "settled_layer / L, to compare models of different depth", low=0, high=1
        ),
        "final_rank": Column("float64", "place", "of the token in the last residual's readout; 1 is the top", low=1),
        "final_probability": Column("float64", "1", "its probability there", low=0, high=1),
        "final_margin_nats": Column(
            "float64", "nats", "its ln p minus that of the best other token; above 0 where it is on top"
        ),
        "is_correct": Column("boolean", "", "whether the answer is on top in the end; empty if no answer is followed"),
        "best_token": Column(TEXT, "", "the model's own best token in the end"),
        "best_settled_layer": Column(
            "Int64", "residual", "the residual l from which this best token stays on top", low=0
        ),
        "status": STATUS,
    },
    key=PROMPT_KEY,
    finite=("final_rank", "final_probability", "final_margin_nats"),
    members=("prompt",),
)

DECIDED_MEANS = Table(
    "decided_means",
    columns=OF_SET
    | {
        "kind": Column(TEXT, "", "kind of the prompts, or all kinds: the whole prompt set"),
        "followed": _FOLLOWED,
        "quantity": Column(
            TEXT,
            "",
            "column of table decided; correct: share of prompts whose answer is on top in the end",
            allowed=(
                *("correct", "settled_layer", "settled_depth", "final_probability", "final_margin_nats"),
                "best_settled_layer",
            ),
        ),
        "mean": Column("float64", OF_QUANTITY, "mean over the prompts that have the quantity"),
        "ci_low": Column("float64", "as mean", "lower end of the BCa bootstrap interval; for correct, of Wilson's"),
        "ci_high": Column("float64", "as mean", "upper end of the interval"),
        "n_prompts": N_PROMPTS,
        "n_without": Column("int64", "prompts", "those of the group without the quantity: never on top", low=0),
        "status": STATUS,
    },
    key=[*SET_KEY, "kind", "followed", "quantity"],
    finite=("mean", "ci_low", "ci_high"),
)
