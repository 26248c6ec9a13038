"""The tables of routing: per prompt and block, and per prompt set and expert."""

from internal_physics.tables.columns import N_PROMPTS, OF_PROMPT, OF_SET, STATUS, TEXT, Column
from internal_physics.tables.keys import PROMPT_KEY, SET_KEY
from internal_physics.tables.table import Table

_PLACE = {
    "layer": Column("int64", "block", "block 0..L-1", low=0),
    "experts": Column(TEXT, "", "the module of the experts"),
}


def _count(unit: str, meaning: str) -> Column:
    return Column("int64", unit, meaning, low=1)


def _nats(meaning: str) -> Column:
    return Column("float64", "nats", meaning, low=0)


def _share(meaning: str) -> Column:
    return Column("float64", "1", meaning, low=0, high=1 + 1e-9)


ROUTING = Table(
    "routing",
    columns=OF_PROMPT
    | _PLACE
    | {
        "n_experts": _count("experts", "E, among which the router chooses"),
        "n_chosen": _count("experts", "k, to which each token is sent"),
        "n_used": _count("experts", "experts that at least one token of the prompt was sent to"),
        "token_entropy_nats": _nats(
            "mean over tokens of the entropy of the softmax of the router's scores: how undecided it is about one token"
        ),
        "mean_entropy_nats": _nats(
            "entropy of the mean over tokens of that softmax: how many experts the prompt needs"
        ),
        "load_entropy_nats": _nats("entropy of the load, from 0 to ln E where all experts have the same load"),
        "top_experts": Column(TEXT, "", "the experts with the highest load, at most four, the highest first"),
        "top_load": _share("share of all choices that fell on these"),
        "status": STATUS,
    },
    key=[*PROMPT_KEY, "layer", "experts"],
    finite=("token_entropy_nats", "mean_entropy_nats", "load_entropy_nats", "top_load"),
)

EXPERT_LOADS = Table(
    "expert_loads",
    columns=OF_SET
    | _PLACE
    | {
        "expert": Column("int64", "expert", "number of the expert, from 0", low=0),
        "n_experts": _count("experts", "E of these experts: an even load is 1/E"),
        "load": _share("share of the choices of all tokens of a prompt that fell on the expert, mean over prompts"),
        "probability": _share("softmax of the router's scores, mean over tokens, then over prompts"),
        "n_reached": Column("int64", "prompts", "prompts that sent at least one token to the expert", low=0),
        "n_prompts": N_PROMPTS,
        "status": STATUS,
    },
    key=[*SET_KEY, "layer", "experts", "expert"],
    finite=("load", "probability"),
)
