"""Tables of the weights as the workflow makes them, from random matrices and gradient norms; for tables and figures."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
from internal_physics.families.thermodynamics.collect_thermodynamics import flagged_states, spectra_table
from internal_physics.families.thermodynamics.phases import PhaseOptions, phases
from internal_physics.families.thermodynamics.pulls import pulls_means, top_pulls, with_measures
from internal_physics.families.thermodynamics.reached import with_experts
from internal_physics.families.thermodynamics.spectrum import effective_rank, spectrum, stable_rank
from internal_physics.families.thermodynamics.state_means import state_means
from internal_physics.families.thermodynamics.tail import tail_exponent
from internal_physics.families.thermodynamics.thermodynamics import thermodynamics_of
from internal_physics.models.kinds import kind_of

MAPS = ("self_attn.q_proj", "mlp.up_proj")


class Record:
    """What thermodynamics asks of a trace."""

    def __init__(self, model, prompt, norms):
        labels = {"model": model, "condition": "baseline", "prompt_set": "s"}
        self.info = SimpleNamespace(labels=labels, prompt=prompt, weight_gradients="norms")
        self.parameters, self.gradient_norm = tuple(norms), norms.get
        self.n_tokens, self.loss_nats = 5, 2.0


def make_weights(model, n_layers, rng, maps=MAPS):
    rows = []
    for layer in range(n_layers):
        for name in maps:
            parameter = f"layers.{layer}.{name}.weight"
            matrix = rng.normal(size=(40, 30)) * np.exp(0.1 * layer)
            found = spectrum(matrix)
            tail = tail_exponent(found.singular_values)
            rows.append({
                "model": model, "parameter": parameter, "layer": layer,
                "kind": kind_of(parameter, layer=layer, n_layers=n_layers, lookup=False), "shape": [40, 30],
                "weight_norm": np.linalg.norm(matrix), "singular_values": found.singular_values,
                "stable_rank": stable_rank(found.singular_values),
                "effective_rank": effective_rank(found.singular_values), "method": found.method,
                "error_bound": found.error_bound, "status": found.status, "alpha": tail.alpha,
                "tail_minimum": tail.minimum, "tail_distance": tail.distance, "n_tail": tail.n_tail,
                "tail_status": tail.status,
            })  # fmt: skip
    return pd.DataFrame(rows)


def make_weight_tables(n_models=2, n_prompts=3, n_layers=12, maps=MAPS, seed=0):
    """All five tables, and `states`, `flags` and `weights` (by model) from which they are made."""
    rng = np.random.default_rng(seed)
    weights, states, means, found = {}, [], [], []
    for model in (f"m{i}" for i in range(n_models)):
        weights[model] = make_weights(model, n_layers, rng, maps)
        norms = [
            {name: float(np.exp(rng.normal(0, 0.3))) for name in weights[model].parameter} for _ in range(n_prompts)
        ]
        records = [Record(model, f"p{i}", of_prompt) for i, of_prompt in enumerate(norms)]
        states.append(thermodynamics_of(records, weights[model]).states)
        means.append(state_means(states[-1], seed=0, n_resamples=99, confidence_level=0.95))
        found.append(phases(states[-1], PhaseOptions(n_permutations=19), seed=0))
    all_states = pd.concat(states, ignore_index=True)
    flags = pd.concat([f.flags for f in found], ignore_index=True)
    return {
        "spectra": spectra_table(pd.concat(weights.values(), ignore_index=True)),
        "thermodynamics": flagged_states(all_states, flags),
        "thermodynamics_means": with_experts(pd.concat(means, ignore_index=True)),
        "phases": pd.concat([f.layers for f in found], ignore_index=True),
        "phase_counts": pd.concat([f.counts for f in found], ignore_index=True),
        "states": all_states,
        "flags": flags,
        "weights": weights,
    }


def with_pulls(tables):
    """Tables of `make_weight_tables`, and `pulls` and `pulls_means` of the same weights and prompts."""
    measured = with_measures(tables["thermodynamics"])
    means = pulls_means(measured, seed=0, n_resamples=99, confidence_level=0.95)
    return tables | {"pulls": top_pulls(measured), "pulls_means": means}
