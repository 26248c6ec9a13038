"""Quantities of the logit lens for each layer and prompt: names, ranges, and words for axes."""

from internal_physics.families.information.watched import WATCHED
from internal_physics.tables.table import Quantity

ALONG_DEPTH = (
    Quantity("entropy_nats", low=0, label="entropy", unit="nats"),
    Quantity("perplexity", low=1, label="perplexity", unit="tokens", may_be_log=True),
    Quantity("margin", low=0, label="margin of the top two", unit="logits"),
    Quantity("kl_uniform_nats", low=0, label="KL from uniform", unit="nats"),
    Quantity("attention_entropy_nats", low=0, label="attention entropy", unit="nats"),
    Quantity("surprisal_nats", low=0, label="surprisal", unit="nats", may_be_log=True),
)
QUANTITIES = (
    *ALONG_DEPTH,
    Quantity("attention_sink_mass", low=0, high=1),
    Quantity("kl_final_nats", low=0, unit="nats"),
    Quantity("final_token_rank", low=1, unit="place"),
    Quantity("final_token_probability", low=0, high=1),
    Quantity("answer_rank", low=1, unit="place"),
    Quantity("answer_probability", low=0, high=1),
    Quantity("answer_margin_nats", unit="nats"),
    Quantity("mean_entropy_nats", low=0, unit="nats"),
    Quantity("mean_surprisal_nats", low=0, unit="nats"),
    Quantity("settled_layer", low=0, unit="residual"),
    Quantity(WATCHED, low=0, high=1),
)
