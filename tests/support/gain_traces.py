"""Traces with given residuals and predictions, for the tests of residual gain; no torch."""

import numpy as np
from internal_physics.records.info import TraceInfo
from internal_physics.records.trace import Key, Trace


def gain_trace(
    residuals,
    prompt="p",
    *,
    entropy=1.0,
    read_position=None,
    top=((3, 0.6), (1, 0.3), (2, 0.05), (0, 0.03), (4, 0.01), (5, 0.01)),
    top_tokens=(" Paris", " the", "!", "", "x", "y"),
    labels=("m", "s"),
):
    """A trace of residuals [L + 1, T, d]; gradients are zero, for metrics that do not look at them."""
    residuals = np.asarray(residuals)
    n_layers, n_tokens = len(residuals) - 1, residuals.shape[1]
    tensors = {Key("residual", layer, "activation"): value for layer, value in enumerate(residuals)}
    tensors[Key("logits", n_layers, "entropy_nats")] = np.float64(entropy)
    tensors[Key("logits", n_layers, "top_ids")] = np.array([i for i, _ in top], np.float32)
    tensors[Key("logits", n_layers, "top_log_probabilities")] = np.log([p for _, p in top])
    info = TraceInfo(
        prompt=prompt,
        text="",
        token_ids=tuple(range(n_tokens)),
        tokens=("t",) * n_tokens,
        loss_nats=1.0,
        n_layers=n_layers,
        width=residuals.shape[2],
        task="causal",
        weight_gradients="none",
        read_position=n_tokens - 1 if read_position is None else read_position,
        labels={"model": labels[0], "condition": "baseline", "prompt_set": labels[1]},
        top_tokens=top_tokens,
    )
    return Trace(info, tensors)
