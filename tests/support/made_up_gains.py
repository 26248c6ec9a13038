"""Tables of gains made up for tests of hypotheses, figures and report: what conjecture holds is chosen."""

import numpy as np
import pandas as pd
from internal_physics.families.residual_gain.variants import VARIANTS

# The published run of the five prompts on Llama-3.1-8B: kind, next-token entropy (nats), last gain.
PUBLISHED = (
    ("factual", 4.030202388763428, 0.4776722166094884),
    ("syntactic", 4.84741735458374, 0.8018922238816779),
    ("ambiguous", 3.003232717514038, 0.5631023447410621),
    ("nonsense", 7.344757556915283, 0.5960215458462625),
    ("reference", 4.316532135009766, 0.6085824604989595),
)
KINDS = ("factual", "syntactic", "ambiguous", "nonsense")


def gains_of(points, models=("m",), prompt_set="s", variants=VARIANTS):
    """Table `gains` of points (kind, entropy, last gain), the same for every model and variant."""
    rows = [
        {
            "model": model,
            "condition": "baseline",
            "prompt_set": prompt_set,
            "prompt": f"{prompt_set}_{i:03d}",
            "kind": kind,
            "difficulty": "easy",
            "variant": variant,
            "last_gain": gain,
            "log_cumulative_gain": 3.0,
            "expands": gain > 1,
            "entropy_nats": entropy,
            "top_token": " x",
            "top_token_probability": 0.5,
            "status": "ok" if np.isfinite(gain) else "the norm is zero, first at residual 2",
        }
        for model in models
        for i, (kind, entropy, gain) in enumerate(points)
        for variant in variants
    ]
    return pd.DataFrame(rows).astype({"expands": "boolean"})


def driven_points(slope, *, n_each=20, seed=0, kinds=KINDS, noise=0.05, start=0.8):
    """Points whose last gain is start + slope · entropy, with noise."""
    rng = np.random.default_rng(seed)
    entropy = rng.uniform(0, 5, n_each * len(kinds))
    gain = start + slope * entropy + rng.normal(0, noise, entropy.size)
    return list(zip(np.repeat(kinds, n_each).tolist(), entropy.tolist(), gain.tolist(), strict=True))


def with_texts(gains):
    """The table with a text of its own for each prompt, as hypotheses need it."""
    return gains.assign(text=gains["prompt_set"] + " " + gains["prompt"])


def layers_of(gains, n_layers=4, seed=0):
    """Table `layers` with gains along depth that end in the last gain of the table."""
    rng = np.random.default_rng(seed)
    rows = []
    for row in gains.itertuples():
        values = [*np.exp(rng.normal(0.2, 0.3, n_layers - 1)), row.last_gain]
        keys = {"model": row.model, "condition": row.condition, "prompt_set": row.prompt_set, "prompt": row.prompt}
        rows += [
            {**keys, "layer": layer, "quantity": f"residual_gain_{row.variant}", "value": value, "status": row.status}
            for layer, value in enumerate(values)
        ]
    return pd.DataFrame(rows)
