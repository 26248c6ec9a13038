"""The scores of one prompt as plain rows, and the profile along depth that goes with them. No pandas, no torch."""

from collections.abc import Iterator
from typing import Any

from internal_physics.families.gradient_flow.flow import gradient_flow
from internal_physics.families.gradient_flow.scores import PER_PROMPT as FLOW_SCORES
from internal_physics.families.residual_gain.residual_gain import next_token_entropy_nats, residual_gain
from internal_physics.ground.status import value_status
from internal_physics.records.trace import Trace

MEANINGS = {
    "loss_nats": "loss, mean over predicted tokens, in nats",
    "ec": "change of the gradient from block to block (EC)",
    "isc": "gradient norm per nat of loss (ISC)",
    "isg": "unevenness of that change over the blocks (ISG)",
    "isa": "unevenness of the rotation by the blocks (ISA)",
    "last_gain": "growth of the residual stream in the last block",
    "next_token_entropy_nats": "entropy of the next token, in nats",
}


def score_rows(trace: Trace) -> Iterator[dict[str, Any]]:
    """Rows (quantity, meaning, value, status) in the order of MEANINGS."""
    gain, entropy = residual_gain(trace), next_token_entropy_nats(trace)
    rows = [(row.value, row.status, name) for name, of in FLOW_SCORES.items() for row in of(trace)[:1]]
    rows += [(gain.last_gain, gain.status, "last_gain"), (entropy, value_status(entropy), "next_token_entropy_nats")]
    for value, status, name in [(trace.loss_nats, value_status(trace.loss_nats), "loss_nats"), *rows]:
        yield {"quantity": name, "meaning": MEANINGS[name], "value": float(value), "status": status}


def block_rows(trace: Trace) -> Iterator[dict[str, Any]]:
    """Rows (block, gain, relative_gradient_change, gradient_cosine, status); norms run over all positions."""
    flow = gradient_flow(trace)
    by_block = zip(residual_gain(trace).gains, flow.relative_change, flow.cosine, strict=True)
    for block, (gain, change, cosine) in enumerate(by_block):
        numbers = {"gain": float(gain), "relative_gradient_change": float(change), "gradient_cosine": float(cosine)}
        yield {"block": block, **numbers, "status": value_status(sum(numbers.values()))}
