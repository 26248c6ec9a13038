"""Columns of the tables of the weights: spectra, thermodynamics, its means, phases and their counts; and the
per-model CSV with the names of the published script.
"""

from internal_physics.tables.columns import KEYS, MODEL, PROMPT, STATUS, TEXT, Column

_PARAMETER = Column(TEXT, "", "canonical name of the 2-D weight; tied weights are one")
_LAYER = Column("int64", "block", "block 0..L-1; -1 before the blocks, L after them")
_KIND = Column(TEXT, "", "kind of map: query, key, value, output, gate, up, down, embedding, readout, …")
_N_PROMPTS = Column("int64", "prompts", "prompts that the row rests on")
_WEIGHT = {"parameter": _PARAMETER, "layer": _LAYER, "kind": _KIND}
_WEIGHT_NORM = Column("float64", "weight", "Frobenius norm ‖W‖ of the weight as the model uses it")


def _number(unit: str, meaning: str) -> Column:
    return Column("float64", unit, meaning)


THERMODYNAMICS_TABLES: dict[str, dict[str, Column]] = {
    "spectra": {"model": MODEL}
    | _WEIGHT
    | {
        "shape": Column(TEXT, "rows×columns", "shape of the parameter"),
        "weight_norm": _WEIGHT_NORM,
        "largest_singular_value": _number("weight", "σ₁; all of them are in results/weights"),
        "stable_rank": _number("1", "‖W‖² / σ₁²"),
        "effective_rank": _number("1", "e^S, S the entropy of σ/Σσ"),
        "alpha": _number("1", "exponent of the power law of the tail of σ², maximum likelihood, as WeightWatcher's"),
        "tail_minimum": _number("weight²", "σ² where the tail starts, by the smallest Kolmogorov-Smirnov distance"),
        "tail_distance": _number("1", "Kolmogorov-Smirnov distance between the tail and its power law"),
        "n_tail": Column("int64", "singular values", "how many the tail has"),
        "method": Column(TEXT, "", "gram: eigenvalues of the float64 Gram matrix; svd: singular value decomposition"),
        "error_bound": _number("weight", "no singular value is off by more than this"),
        "tail_status": Column(TEXT, "", "ok, or why there is no tail exponent"),
        "status": STATUS,
    },
    "thermodynamics": KEYS
    | {"prompt": PROMPT}
    | _WEIGHT
    | {
        "weight_norm": _WEIGHT_NORM,
        "gradient_norm": _number("nats / weight", "Frobenius norm ‖G‖ of the gradient of the prompt's loss"),
        "temperature": _number("weight² / nat", "T = ‖W‖ / (‖G‖ + 1e-8)"),
        "entropy_nats": _number("nats", "S = -Σ p ln p, p = σ/Σσ"),
        "energy": _number("weight", "E = Σσ² / (Σσ + 1e-8)"),
        "free_energy": _number("weight", "F = E - T·S, as published: the units of its terms differ"),
        "d_temperature": _number("as temperature", "dT, central difference to the neighboring weights of the order"),
        "d_entropy_nats": _number("nats", "dS"),
        "d_energy": _number("weight", "dE"),
        "d_free_energy": _number("as free_energy", "dF"),
        "d_gradient_norm": _number("nats / weight", "d‖G‖"),
        "specific_heat": _number("dE / dT", "dE / (dT + 1e-6)"),
        "susceptibility": _number("d‖G‖ / dT", "d‖G‖ / (dT + 1e-6)"),
        "compressibility": _number("dS / dF", "-dS / (dF + 1e-6)"),
        "latent_heat_jump": Column("bool", "", "|dT| small and |dE| large"),
        "negative_specific_heat": Column("bool", "", "specific_heat < 0"),
        "susceptibility_divergence": Column("bool", "", "susceptibility beyond its threshold"),
        "high_compressibility": Column("bool", "", "compressibility beyond its threshold"),
        "derivative_status": Column(TEXT, "", "ok, or why the derivatives and flags are missing"),
        "status": STATUS,
    },
    "thermodynamics_means": KEYS
    | _WEIGHT
    | {
        "quantity": Column(
            TEXT, "", "gradient_norm, temperature or free_energy; the others do not depend on the prompt"
        ),
        "mean": _number("see quantity", "mean over the prompts of the set"),
        "ci_low": _number("as mean", "lower end of the percentile bootstrap interval over prompts"),
        "ci_high": _number("as mean", "upper end of the interval"),
        "n_prompts": _N_PROMPTS,
        "status": STATUS,
    },
    "phases": KEYS
    | _WEIGHT
    | {
        "phase": Column(TEXT, "", "one of the four flags, or change_point: a new plateau of T, S, E, F begins here"),
        "share": _number("0 to 1", "share of the prompts of the set that flag this weight"),
        "expected_share": _number("0 to 1", "the same where the layers of its kind are shuffled"),
        "n_prompts": _N_PROMPTS,
        "status": STATUS,
    },
    "phase_counts": KEYS
    | {
        "kind": _KIND,
        "phase": Column(TEXT, "", "one of the four flags"),
        "n_layers": Column("int64", "weights", "weights that have a derivative"),
        "observed": _number("weights", "flagged weights, mean over prompts"),
        "expected": _number("weights", "the same where layers are shuffled, mean over shuffles"),
        "p_value": _number("1", "two-sided permutation p-value of observed"),
        "n_prompts": _N_PROMPTS,
        "status": STATUS,
    },
}

# Column of the published script → ours, in its order.
PUBLISHED_COLUMNS = {
    "name": "parameter",
    "temperature": "temperature",
    "entropy": "entropy_nats",
    "energy": "energy",
    "free_energy": "free_energy",
    "W_norm": "weight_norm",
    "G_norm": "gradient_norm",
    "dE": "d_energy",
    "dT": "d_temperature",
    "dG_norm": "d_gradient_norm",
    "dS": "d_entropy_nats",
    "dF": "d_free_energy",
    "specific_heat": "specific_heat",
    "susceptibility": "susceptibility",
    "compressibility": "compressibility",
    "latent_heat_jump": "latent_heat_jump",
    "neg_specific_heat": "negative_specific_heat",
    "suscept_divergent": "susceptibility_divergence",
    "high_compress": "high_compressibility",
}
