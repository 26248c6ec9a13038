"""The tables of the weights: spectra, thermodynamics, its means, phases and their counts."""

from dataclasses import replace

from internal_physics.families.thermodynamics.statuses import NOT_REACHED, PARTLY_REACHED
from internal_physics.tables.columns import MODEL, N_PROMPTS, OF_PROMPT, OF_QUANTITY, OF_SET, STATUS, TEXT, Column
from internal_physics.tables.keys import PROMPT_KEY, SET_KEY
from internal_physics.tables.table import Table

MEASURES = (GRADIENT_SHARE, RELATIVE_GRADIENT) = ("gradient_share", "relative_gradient")
TOP = 10  # weights that table `pulls` names of each prompt
_ROUNDING = 1e-9  # by which a rank of 1 may fall short
_PARAMETER = Column(
    TEXT, "", "canonical name of the matrix, with its number in [ ] for an expert's; tied weights are one"
)
_LAYER = Column("int64", "block", "block 0..L-1; -1 before the blocks, L after them", low=-1)
_KIND = Column(TEXT, "", "kind of map: query, key, value, output, gate, up, down, expert_down, router, embedding, …")
_WEIGHT = {"parameter": _PARAMETER, "layer": _LAYER, "kind": _KIND}
_EXPERT = {"expert": Column("Int64", "expert", "number of the expert, from 0; empty for any other weight", low=0)}
_OF_EXPERTS = (NOT_REACHED, PARTLY_REACHED)
_WEIGHT_NORM = Column("float64", "weight", "Frobenius norm ‖W‖ of the weight as the model uses it", low=0)


def _number(unit: str, meaning: str, low: float | None = None, high: float | None = None) -> Column:
    return Column("float64", unit, meaning, low, high)


def _flag(meaning: str) -> Column:
    return Column("bool", "", meaning)


_TAIL = {
    "alpha": _number(
        "1", "exponent of the power law of the tail of σ², maximum likelihood, as WeightWatcher's", low=1 - _ROUNDING
    ),
    "tail_minimum": _number("weight²", "σ² where the tail starts, by the smallest Kolmogorov-Smirnov distance"),
    "tail_distance": _number("1", "Kolmogorov-Smirnov distance between the tail and its power law", low=0, high=1),
}
_STATE = {
    "weight_norm": _WEIGHT_NORM,
    "gradient_norm": _number("nats / weight", "Frobenius norm ‖G‖ of the gradient of the prompt's loss", low=0),
    "temperature": _number("weight² / nat", "T = ‖W‖ / (‖G‖ + 1e-8)", low=0),
    "entropy_nats": _number("nats", "S = -Σ p ln p, p = σ/Σσ", low=0),
    "energy": _number("weight", "E = Σσ² / (Σσ + 1e-8)", low=0),
    "free_energy": _number("weight", "F = E - T·S, as published: the units of its terms differ"),
}
_DERIVED = {
    "d_temperature": _number("as temperature", "dT, central difference to the neighboring weights of the order"),
    "d_entropy_nats": _number("nats", "dS"),
    "d_energy": _number("weight", "dE"),
    "d_free_energy": _number("as free_energy", "dF"),
    "d_gradient_norm": _number("nats / weight", "d‖G‖"),
    "specific_heat": _number("dE / dT", "dE / (dT + 1e-6)"),
    "susceptibility": _number("d‖G‖ / dT", "d‖G‖ / (dT + 1e-6)"),
    "compressibility": _number("dS / dF", "-dS / (dF + 1e-6)"),
}

SPECTRA = Table(
    "spectra",
    columns={"model": MODEL}
    | _WEIGHT
    | _EXPERT
    | {
        "shape": Column(TEXT, "rows×columns", "shape of the matrix"),
        "weight_norm": _WEIGHT_NORM,
        "largest_singular_value": _number("weight", "σ₁; all of them are in results/weights", low=0),
        "stable_rank": _number("1", "‖W‖² / σ₁²", low=1 - _ROUNDING),
        "effective_rank": _number("1", "e^S, S the entropy of σ/Σσ", low=1 - _ROUNDING),
    }
    | _TAIL
    | {
        "n_tail": Column("int64", "singular values", "number of singular values in the tail", low=0),
        "method": Column(TEXT, "", "gram: eigenvalues of the float64 Gram matrix; svd: singular value decomposition"),
        "error_bound": _number("weight", "upper bound of the error of every singular value", low=0),
        "tail_status": Column(TEXT, "", "ok, or why there is no tail exponent"),
        "status": STATUS,
    },
    key=["model", "parameter"],
    finite=("weight_norm", "largest_singular_value", "stable_rank", "effective_rank", "error_bound"),
    finite_under={"tail_status": tuple(_TAIL)},
)

THERMODYNAMICS = Table(
    "thermodynamics",
    columns=OF_PROMPT
    | _WEIGHT
    | _EXPERT
    | _STATE
    | _DERIVED
    | {
        "latent_heat_jump": _flag("|dT| small and |dE| large"),
        "negative_specific_heat": _flag("specific_heat < 0"),
        "susceptibility_divergence": _flag("susceptibility beyond its threshold"),
        "high_compressibility": _flag("compressibility beyond its threshold"),
        "derivative_status": Column(TEXT, "", "ok, or why the derivatives and flags are missing"),
        "status": STATUS,
    },
    by_definition=_OF_EXPERTS,
    key=[*PROMPT_KEY, "parameter"],
    finite=tuple(_STATE),
    finite_under={"derivative_status": tuple(_DERIVED)},
    members=("prompt",),
    rows_as_in="spectra",
)

THERMODYNAMICS_MEANS = Table(
    "thermodynamics_means",
    columns=OF_SET
    | _WEIGHT
    | _EXPERT
    | {
        "quantity": Column(
            TEXT,
            "",
            "gradient_norm, temperature or free_energy; the others do not depend on the prompt",
            allowed=("gradient_norm", "temperature", "free_energy"),
        ),
        "mean": _number(OF_QUANTITY, "mean over the prompts of the set"),
        "ci_low": _number("as mean", "lower end of the percentile bootstrap interval over prompts"),
        "ci_high": _number("as mean", "upper end of the interval"),
        "n_prompts": N_PROMPTS,
        "status": STATUS,
    },
    by_definition=_OF_EXPERTS,
    key=[*SET_KEY, "parameter", "quantity"],
    finite=("mean", "ci_low", "ci_high"),
)

PHASES = Table(
    "phases",
    columns=OF_SET
    | _WEIGHT
    | {
        "phase": Column(TEXT, "", "one of the four flags, or change_point: a new plateau of T, S, E, F begins here"),
        "share": _number("0 to 1", "share of the prompts of the set that flag this weight", low=0, high=1),
        "expected_share": _number("0 to 1", "the same where the layers of its kind are shuffled", low=0, high=1),
        "n_prompts": replace(N_PROMPTS, low=1),
        "status": STATUS,
    },
    key=[*SET_KEY, "parameter", "phase"],
    finite=("share", "expected_share"),
)

PHASE_COUNTS = Table(
    "phase_counts",
    columns=OF_SET
    | {
        "kind": Column(TEXT, "", "kind of map; 'all kinds': their sum, whose layers are shuffled together"),
        "phase": Column(TEXT, "", "one of the four flags"),
        "n_layers": Column("int64", "weights", "weights that have a derivative", low=0),
        "observed": _number("weights", "flagged weights, mean over prompts", low=0),
        "expected": _number("weights", "the same where layers are shuffled, mean over shuffles", low=0),
        "p_value": _number("1", "two-sided permutation p-value of observed", low=0, high=1),
        "n_prompts": N_PROMPTS,
        "status": STATUS,
    },
    key=[*SET_KEY, "kind", "phase"],
    finite=("observed", "expected", "p_value"),
)

_MEASURE = Column(
    TEXT,
    "",
    "gradient_share: ‖G‖² / Σ‖G‖² over the weights of table thermodynamics, 0 to 1; relative_gradient: ‖G‖ / ‖W‖, the "
    "inverse of the temperature, in nats / weight²",
    allowed=MEASURES,
)

PULLS = Table(
    "pulls",
    columns=OF_PROMPT
    | {
        "measure": _MEASURE,
        "rank": Column("int64", "", f"from 1, the weight that the prompt pulls at most, to {TOP}", low=1, high=TOP),
    }
    | _WEIGHT
    | _EXPERT
    | {
        "value": _number(OF_QUANTITY, "the measure of this weight on this prompt", low=0),
        "status": STATUS,
    },
    by_definition=_OF_EXPERTS,
    key=[*PROMPT_KEY, "measure", "rank"],
    finite=("value",),
    members=("prompt",),
)

PULLS_MEANS = Table(
    "pulls_means",
    columns=OF_SET
    | {
        "measure": _MEASURE,
        "rank": Column("int64", "", "place of the weight by its mean, from 1, the largest", low=1),
    }
    | _WEIGHT
    | _EXPERT
    | {
        "mean": _number(OF_QUANTITY, "mean over the prompts of the set", low=0),
        "ci_low": _number("as mean", "lower end of the percentile bootstrap interval over prompts"),
        "ci_high": _number("as mean", "upper end of the interval"),
        "n_in_top": Column("int64", "prompts", f"prompts that have the weight among their first {TOP}", low=0),
        "n_prompts": N_PROMPTS,
        "status": STATUS,
    },
    by_definition=_OF_EXPERTS,
    key=[*SET_KEY, "measure", "parameter"],
    finite=("mean", "ci_low", "ci_high"),
    members=("measure",),
)
