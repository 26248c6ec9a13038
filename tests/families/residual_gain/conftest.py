"""Rows of residual gain of two models and two prompt sets."""

import numpy as np
import pytest
from gain_traces import gain_trace
from internal_physics.families.residual_gain.residual_gain import rows
from internal_physics.tables.measure import per_prompt_table


@pytest.fixture
def metric_rows():
    rng = np.random.default_rng(0)
    traces = [
        gain_trace(rng.uniform(1, 2, (4, n_tokens, 3)), prompt, entropy=entropy, labels=(model, prompt_set))
        for model in ("m", "n")
        for prompt_set, prompt, n_tokens, entropy in (
            ("s", "a", 4, 1.0), ("s", "b", 1, 2.0), ("s", "c", 5, 0.5), ("t", "a", 3, 3.0), ("t", "d", 3, 2.5),
        )
    ]  # fmt: skip
    return per_prompt_table(traces, rows)
