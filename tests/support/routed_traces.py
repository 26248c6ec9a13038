"""Hand-made records of a router with four experts, and the tables of routing that follow from them."""

import numpy as np
import pandas as pd
from hand_traces import LABELS, make_trace
from internal_physics.families.routing import expert_loads, routing
from internal_physics.records.trace import Key, Trace
from internal_physics.tables.measure import measure

SITE, N_EXPERTS = "layers.1.mlp.experts", 4
SURE = np.array([[9.0, 0, 0, 0], [0, 9, 0, 0], [9, 0, 0, 0]])


def traced(prompt, chosen, scores=SURE, model="m"):
    """A record of three tokens, each sent to the experts of its row of `chosen`."""
    trace = make_trace(prompt, labels={**LABELS, "model": model})
    own = {Key(SITE, 1, "router_logits"): np.asarray(scores, float), Key(SITE, 1, "expert_ids"): np.asarray(chosen)}
    return Trace(trace.info, dict(trace.tensors) | own)


def make_metric_rows():
    """Rows of the metric: two prompts with experts, and one without."""
    traces = [traced("a", [[0, 1], [1, 0], [0, 2]]), traced("b", [[0, 1], [1, 0], [0, 1]]), make_trace("c")]
    return pd.concat([rows for _, rows in measure("internal_physics.families.routing.routed", traces)])


def make_routing():
    """Tables `routing` and `expert_loads`."""
    rows = make_metric_rows()
    return {"routing": routing.rows(rows), "expert_loads": expert_loads.rows(rows)}
