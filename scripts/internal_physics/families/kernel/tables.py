"""The tables of the family kernel: pairs of prompts, and what their kernel says about a model."""

from internal_physics.statistics.alignment_statuses import BY_DEFINITION
from internal_physics.tables.columns import (
    CONDITION,
    MODEL,
    NOTES,
    PROMPT,
    PROMPT_SET,
    STATUS,
    TEXT,
    Column,
    p_value,
)
from internal_physics.tables.table import Table

OF_KERNEL = {
    "model": MODEL,
    "condition": CONDITION,
    "source": Column(
        TEXT,
        "",
        "what the kernel is computed from: factors (exact) or sketch (unbiased, with a standard error)",
        allowed=("factors", "sketch"),
    ),
}
KEY = list(OF_KERNEL)
MOST_PROMPTS = 300  # of a kernel whose pairs are listed
_UNIT = "nats² / weight²"
_N_PROMPTS = Column("int64", "prompts", "prompts with a finite gradient that is not zero, each text once", low=0)
_OF_PROMPT = {"prompt_set": PROMPT_SET, "prompt": PROMPT}
_OTHER = {
    "other_prompt_set": Column(TEXT, "", "prompt set of q"),
    "other_prompt": Column(TEXT, "", "name of q in its set"),
}


def _number(unit: str, meaning: str, low: float | None = None, high: float | None = None) -> Column:
    return Column("float64", unit, meaning, low=low, high=high)


def _layer(meaning: str) -> Column:
    return Column("Int64", "block", meaning, low=-1)


KERNEL = Table(
    "kernel",
    columns=OF_KERNEL
    | _OF_PROMPT
    | _OTHER
    | {
        "value": _number(_UNIT, "K(p, q), the inner product of the gradients of the two losses over all weights"),
        "standard_error": _number(_UNIT, "of value; 0 where it is exact", low=0),
        "cosine": _number("1", "K(p, q) / √(K(p, p)·K(q, q))", -1, 1),
        "status": STATUS,
    },
    key=[*KEY, *_OF_PROMPT, *_OTHER],
    finite=("value", "cosine"),
)

KERNEL_SUMMARY = Table(
    "kernel_summary",
    columns=OF_KERNEL
    | {
        "n_prompts": _N_PROMPTS,
        "trace": _number(_UNIT, "sum of the squared gradient norms", low=0),
        "top_share": _number("1", "share of the largest eigenvalue in the trace", 0, 1),
        "effective_rank": _number("prompts", "exp of the entropy of the shares of the eigenvalues", low=1),
        "cosine_top_share": _number("1", "top_share of the cosine kernel", 0, 1),
        "cosine_effective_rank": _number("prompts", "effective_rank of the cosine kernel", low=1),
        "map_share": _number("1", "share of the squared distances that the map of prompts shows", 0, 1),
        "mean_cosine": _number("1", "mean cosine of two different prompts", -1, 1),
        "cosine_within": _number("1", "mean cosine of two different prompts of one kind", -1, 1),
        "cosine_between": _number("1", "mean cosine of two prompts of different kinds", -1, 1),
        "n_kinds": Column("int64", "kinds", "kinds of these prompts", low=0),
        "pairs_status": Column(TEXT, "", "ok, or why there is no mean cosine"),
        "kinds_status": Column(TEXT, "", "ok, or why there are no means within and between kinds"),
        "status": STATUS,
    },
    key=KEY,
    finite=("trace", "top_share", "effective_rank", "cosine_top_share", "cosine_effective_rank"),
    finite_under={"pairs_status": ("mean_cosine",), "kinds_status": ("cosine_within", "cosine_between")},
)

KERNEL_SPECTRA = Table(
    "kernel_spectra",
    columns=OF_KERNEL
    | {
        "rank": Column("int64", "", "1 is the largest", low=1),
        "eigenvalue": _number(_UNIT, "of the kernel", low=0),
        "share": _number("1", "of the eigenvalue in their sum", 0, 1),
        "cosine_eigenvalue": _number("1", "of the cosine kernel", low=0),
        "cosine_share": _number("1", "of that in their sum", 0, 1),
        "status": STATUS,
    },
    key=[*KEY, "rank"],
    finite=("eigenvalue", "share", "cosine_eigenvalue", "cosine_share"),
)

KERNEL_MAP = Table(
    "kernel_map",
    columns=OF_KERNEL
    | _OF_PROMPT
    | {
        "kind": NOTES["kind"],
        "x": _number("1", "place on the first axis; the squared distance of two prompts is about 2 − 2·cosine"),
        "y": _number("1", "place on the second axis"),
        "squared_norm": _number(_UNIT, "K(p, p), the squared norm of the prompt's gradient", low=0),
        "status": STATUS,
    },
    key=[*KEY, *_OF_PROMPT],
    finite=("x", "y", "squared_norm"),
)

KERNEL_SHARES = Table(
    "kernel_shares",
    columns=OF_KERNEL
    | {
        "layer": Column("int64", "block", "of the weights: -1 before the blocks, L after them", low=-1),
        "kind": Column(TEXT, "", "their kind of map"),
        "trace": _number(_UNIT, "sum over prompts of the squared gradient norm of these weights", low=0),
        "share": _number("1", "of that in all weights", 0, 1),
        "mean_cosine": _number("1", "mean cosine of two different prompts, over these weights alone", -1, 1),
        "status": STATUS,
    },
    key=[*KEY, "layer", "kind"],
    finite=("trace", "share"),
)

KERNEL_KINDS = Table(
    "kernel_kinds",
    columns=OF_KERNEL
    | {
        "normalisation": Column(TEXT, "", "raw, or cosine: every gradient of length 1", allowed=("raw", "cosine")),
        "layer": _layer("of the weights: -1 before the blocks, L after them; empty for all weights"),
        "cka": _number("1", "centred alignment with the kernel that is 1 for two prompts of one kind, else 0", -1, 1),
        "debiased_cka": _number("1", "the same without diagonals: about 0 where there is no relation", -1, 1),
        "p": p_value("one-sided permutation p-value: share of random kinds with at least this alignment"),
        "p_adjusted": p_value(
            "p adjusted over all rows of the table for the false-discovery rate (Benjamini-Hochberg)"
        ),
        "n_prompts": Column("int64", "prompts", "prompts with a kind and a gradient, each text once", low=0),
        "n_kinds": Column("int64", "kinds", "kinds of these prompts", low=0),
        "status": STATUS,
    },
    key=[*KEY, "normalisation", "layer"],
    finite=("cka", "debiased_cka", "p", "p_adjusted"),
    by_definition=BY_DEFINITION,
)

KERNEL_CKA = Table(
    "kernel_cka",
    columns=OF_KERNEL
    | {
        "layer": _layer("of the weights: -1 before the blocks, L after them; empty for all weights"),
        "other_model": Column(TEXT, "", "model that it is compared with"),
        "other_condition": CONDITION,
        "other_layer": _layer("of its weights, likewise"),
        "cka": _number("1", "centred alignment of the two cosine kernels over the prompts of both", -1, 1),
        "debiased_cka": _number("1", "the same without diagonals: about 0 where there is no relation", -1, 1),
        "n_prompts": Column("int64", "prompts", "prompts that both have a gradient for, each text once", low=0),
        "status": STATUS,
    },
    key=[*KEY, "layer", "other_model", "other_condition", "other_layer"],
    finite=("cka", "debiased_cka"),
    by_definition=BY_DEFINITION,
)

N_NEIGHBOURS = 5  # that are listed for each prompt
KERNEL_NEIGHBOURS = Table(
    "kernel_neighbours",
    columns=OF_KERNEL
    | _OF_PROMPT
    | {
        "rank": Column("int64", "", "1 is the nearest", low=1),
        "neighbour_set": Column(TEXT, "", "prompt set of the neighbour"),
        "neighbour": Column(TEXT, "", "name of the neighbour in its set"),
        "cosine": _number("1", "of the gradients of both losses over all weights", -1, 1),
        "standard_error": _number("1", "of the cosine; 0 where it is exact", low=0),
        "is_resolved": Column(
            "boolean",
            "",
            "whether the cosine is larger than that of the next neighbour by more than two standard errors of the "
            "difference; empty where there is no next one",
        ),
        "status": STATUS,
    },
    key=[*KEY, *_OF_PROMPT, "rank"],
    finite=("cosine", "standard_error"),
)

TABLES = (
    KERNEL,
    KERNEL_SUMMARY,
    KERNEL_SPECTRA,
    KERNEL_MAP,
    KERNEL_SHARES,
    KERNEL_KINDS,
    KERNEL_CKA,
    KERNEL_NEIGHBOURS,
)
