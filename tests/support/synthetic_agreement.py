"""Made-up tables of agreement: every model against the first one, on the prompts of a table."""

from zlib import crc32

import numpy as np
import pandas as pd
from internal_physics.families.agreement.means import agreement_means
from internal_physics.families.agreement.tables import AGREEMENT
from internal_physics.tables.conform import conform

WEIGHTS = (("query", "block.{}.q_proj.weight"), ("up", "block.{}.up_proj.weight"))


def agreement_tables(prompts: pd.DataFrame, n_layers: int, *, with_weights: bool = True) -> dict[str, pd.DataFrame]:
    """Tables agreement and agreement_means; the agreement falls from model to model, and towards layer 0."""
    reference, *others = list(prompts["model"].unique())
    rows = [
        {**key, "reference": reference, "reference_condition": "baseline", **number}
        for rank, model in enumerate(others, start=1)
        for key in prompts.loc[prompts["model"] == model, _KEY].to_dict("records")
        for number in _numbers(
            rank, n_layers, np.random.default_rng([crc32(key["prompt"].encode()), rank]), with_weights
        )
    ]
    table = conform(pd.DataFrame(rows, columns=list(AGREEMENT.columns)).astype({"layer": "Int64"}), AGREEMENT)
    means = agreement_means(table, seed=0, n_resamples=99, confidence_level=0.95)
    return {"agreement": table, "agreement_means": means}


_KEY = ["model", "condition", "prompt_set", "prompt"]


def _numbers(rank: int, n_layers: int, rng: np.random.Generator, with_weights: bool):
    for layer in range(n_layers + 1):
        apart = 0.02 * rank * (n_layers + 1 - layer) / n_layers * rng.uniform(0.9, 1.1)
        for what in ("residual", "gradient"):
            yield _number(f"{what}_cosine", 1 - apart, layer)
            yield _number(f"{what}_distance", np.sqrt(2 * apart), layer)
    for layer in range(n_layers if with_weights else 0):
        for kind, name in WEIGHTS:
            yield _number("weight_gradient_cosine", 1 - 0.1 * rank * rng.random(), layer, name.format(layer), kind)
            yield _number("weight_gradient_distance", 0.1 * rank, layer, name.format(layer), kind)
    if not with_weights:
        why = "norms of weight gradients have no direction: weight_gradients: factors keeps what is needed"
        yield _number("weight_gradient_cosine", np.nan) | {"status": why}
        yield _number("weight_gradient_distance", np.nan) | {"status": why}
    yield _number("kl_nats", 0.01 * rank * rng.random())
    yield _number("best_token_agrees", float(rng.random() > 0.1 * rank))


def _number(quantity, value, layer=None, parameter=None, kind=None):
    place = {"layer": layer, "parameter": parameter, "kind": kind}
    return {"quantity": quantity, **place, "value": value, "status": "ok"}
